-- Copies one document from SQL, unless Redis has a higher one.
--
-- KEYS  1 the document   2 the due index   3 the dirty markers
-- ARGV  1 epoch   2 version   3 commit id   4 JSON document   5 member of both sets   6 due at, in ms ('': not due)
--       7 kept for, in ms ('': for ever)   8 deadline of this call in Redis time, in ms
-- Returns { verdict, value }; the value is a dirty document that was replaced, with its head.
--       'copied'   it is stored
--       'kept'     nothing was written: the document that is there is as high, or higher
--       'late'     nothing was written: the deadline has passed
local time = redis.call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) > tonumber(ARGV[8]) then return { 'late', false } end
local there = redis.pcall('GET', KEYS[1])
if type(there) == 'table' then -- of a wrong type: it is unreadable, and SQL has the document
  redis.call('DEL', KEYS[1])
  there = false
end
local dirty = redis.call('ZSCORE', KEYS[3], ARGV[5])
local epoch, version = string.match(there or '', '^(%d+):(%d+):')
epoch, version = tonumber(epoch or 0), tonumber(version or 0)
local new_epoch, new_version = tonumber(ARGV[1]), tonumber(ARGV[2])
if epoch > new_epoch or (epoch == new_epoch and version >= new_version) then return { 'kept', false } end

local value = table.concat({ ARGV[1], ARGV[2], ARGV[3], ARGV[4] }, ':')
if ARGV[7] == '' then redis.call('SET', KEYS[1], value)
else redis.call('SET', KEYS[1], value, 'PX', ARGV[7]) end
if ARGV[6] == '' then redis.call('ZREM', KEYS[2], ARGV[5])
else redis.call('ZADD', KEYS[2], ARGV[6], ARGV[5]) end
redis.call('ZREM', KEYS[3], ARGV[5])
return { 'copied', dirty and there }
