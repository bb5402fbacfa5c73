-- Opens an epoch: from now on its commits are taken, and those of the epochs before are refused.
--
-- KEYS  1 the epoch that is served   2 the marker of the copy that was made for it, if one was
-- ARGV  1 epoch   2 deadline of this call in Redis time, in ms
-- Returns 'opened'; otherwise nothing is set: 'higher' if a later epoch is open already, 'late' if the deadline has
--       passed, 'gone' if the marker is missing: Redis was emptied during the copy.
local time = redis.call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) > tonumber(ARGV[2]) then return 'late' end
local served = tonumber(redis.call('GET', KEYS[1]) or 0) or 0
if served > tonumber(ARGV[1]) then return 'higher' end
if served == tonumber(ARGV[1]) then return 'opened' end
if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 0 then return 'gone' end
redis.call('SET', KEYS[1], ARGV[1])
if KEYS[2] then redis.call('DEL', KEYS[2]) end
return 'opened'
