-- Removes the dirty markers of documents that are still as they were replicated, and of those that are gone. Where a
-- document was committed again since, its marker counts from now: the replication lag is that of the later commit.
--
-- KEYS  1 the dirty markers
-- ARGV  1 prefix of the documents' keys; then for each document its member and its head
-- Returns how many markers were removed.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local removed = 0
for i = 2, #ARGV, 2 do
  local head = redis.call('GETRANGE', ARGV[1] .. ARGV[i], 0, 63)
  if head == '' or string.sub(head, 1, #ARGV[i + 1]) == ARGV[i + 1] then
    removed = removed + redis.call('ZREM', KEYS[1], ARGV[i])
  else
    redis.call('ZADD', KEYS[1], 'XX', now, ARGV[i])
  end
end
return removed
