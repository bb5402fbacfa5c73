-- Removes a document that cannot be read, and its places in the indexes, unless it was replaced meanwhile.
--
-- KEYS  1 the document   2 the due index   3 the dirty index
-- ARGV  1 the document as it was read, or the dump of a value of another type   2 member of the indexes
-- Returns 1 if it was removed, 0 if the key holds something else by now, or nothing.
local there = redis.pcall('GET', KEYS[1])
if type(there) == 'table' then there = redis.call('DUMP', KEYS[1]) end
if there ~= ARGV[1] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[2])
redis.call('DEL', KEYS[1])
return 1
