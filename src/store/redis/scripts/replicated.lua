-- Takes the note `unmirrored` off documents that are mirrored as they still are, and off those that are gone. Where a
-- document was committed again since, its note begins anew: what is still owed came after what is paid.
--
-- KEYS  1 the unmirrored index
-- ARGV  1 what the keys of documents begin with; then for each document its member of the index and its head
-- Returns how many notes were taken off.
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
