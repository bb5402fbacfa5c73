-- Removes the dirty marker of documents that are replicated as they still are, and of those that are gone. Where a
-- document was committed again since, its marker begins anew: the missing commits came after the replicated ones.
--
-- KEYS  1 the dirty index
-- ARGV  1 the beginning of the keys of documents; then for each document its member of the index and its head
-- Returns how many markers were removed.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local paid = 0
for i = 2, #ARGV, 2 do
  local head = redis.call('GETRANGE', ARGV[1] .. ARGV[i], 0, 63)
  if head == '' or string.sub(head, 1, #ARGV[i + 1]) == ARGV[i + 1] then
    paid = paid + redis.call('ZREM', KEYS[1], ARGV[i])
  else
    redis.call('ZADD', KEYS[1], 'XX', now, ARGV[i])
  end
end
return paid
