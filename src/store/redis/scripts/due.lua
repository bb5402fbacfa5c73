-- The due sessions, the most overdue first. An entry whose document is gone is removed, so that it is not found for
-- ever.
--
-- KEYS  1 the due index
-- ARGV  1 now, in ms   2 how many at most   3 prefix of the documents' keys
-- Returns the members whose documents exist.
local found = {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  if redis.call('EXISTS', ARGV[3] .. member) == 1 then
    found[#found + 1] = member
  else
    redis.call('ZREM', KEYS[1], member)
  end
end
return found
