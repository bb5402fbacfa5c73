-- Removes an unreadable document, its entry in the due index and its dirty marker, unless it was replaced meanwhile.
--
-- KEYS  1 the document   2 the due index   3 the dirty markers
-- ARGV  1 the document as it was read, or the dump of a value of another type   2 member of both sets
-- Returns 1 if it was removed, 0 if the key holds another value by now, or none.
local there = redis.pcall('GET', KEYS[1])
if type(there) == 'table' then there = redis.call('DUMP', KEYS[1]) end
if there ~= ARGV[1] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[2])
redis.call('DEL', KEYS[1])
return 1
