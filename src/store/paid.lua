-- Takes the note `unmirrored` off documents that are mirrored as they still are, and off those that are gone.
--
-- KEYS  1 the unmirrored index
-- ARGV  1 what the keys of documents begin with; then for each document its member of the index and its head
-- Returns how many notes were taken off.
local paid = 0
for i = 2, #ARGV, 2 do
  local head = redis.call('GETRANGE', ARGV[1] .. ARGV[i], 0, 63)
  if head == '' or string.sub(head, 1, #ARGV[i + 1]) == ARGV[i + 1] then
    paid = paid + redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
return paid
