-- One commit: compares and sets a document, its entry in the due index, and its dirty marker.
--
-- KEYS  1 the document   2 the due index   3 the dirty markers   4 the epoch that is served
-- ARGV  1 expected version ('0': must not exist)   2 epoch   3 version   4 commit id   5 JSON document
--       6 member of both sets   7 due at, in ms ('': not due)   8 kept for, in ms ('': for ever)
--       9 deadline of this call in Redis time, in ms
-- Returns { verdict, Redis time in ms, value }; the value only with 'conflict', and false if there is none.
--       'applied'    it is stored, now or by an earlier try of the same commit
--       'conflict'   nothing was written; the value is the document as it is now, with its head
--       'late'       nothing was written: the deadline has passed, and the caller has given up
--       'epoch'      nothing was written: another epoch is served, or none
--       'foreign'    nothing was written: the key of the document holds another type
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(ARGV[9]) then return { 'late', now, false } end

-- All keys are read before anything is written: an index or an epoch of a wrong type raises its error here.
redis.call('ZSCORE', KEYS[2], ARGV[6])
redis.call('ZSCORE', KEYS[3], ARGV[6])
local served = redis.call('GET', KEYS[4])
local head = redis.pcall('GETRANGE', KEYS[1], 0, 63)
if type(head) == 'table' then return { 'foreign', now, false } end
local epoch, version, commit = string.match(head, '^(%d+):(%d+):(%d+):')
if head == '' then
  epoch, version, commit = '0', '0', '0'
elseif epoch == ARGV[2] and version == ARGV[3] and commit == ARGV[4] then
  return { 'applied', now, false }
end
if served ~= ARGV[2] then return { 'epoch', now, false } end
if version ~= ARGV[1] then return { 'conflict', now, redis.call('GET', KEYS[1]) } end

local value = table.concat({ ARGV[2], ARGV[3], ARGV[4], ARGV[5] }, ':')
if ARGV[8] == '' then redis.call('SET', KEYS[1], value)
else redis.call('SET', KEYS[1], value, 'PX', ARGV[8]) end
if ARGV[7] == '' then redis.call('ZREM', KEYS[2], ARGV[6])
else redis.call('ZADD', KEYS[2], ARGV[7], ARGV[6]) end
redis.call('ZADD', KEYS[3], 'NX', now, ARGV[6])
return { 'applied', now, false }
