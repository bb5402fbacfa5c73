-- Opens an epoch: from now on its commits are taken, and those of the epochs before are refused.
--
-- KEYS  1 the epoch that is served
-- ARGV  1 epoch   2 deadline of this call in Redis time, in ms
-- Returns 'opened', 'higher' if a later epoch is open already, 'late' if the deadline has passed; only then it is set.
local time = redis.call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) > tonumber(ARGV[2]) then return 'late' end
local served = tonumber(redis.call('GET', KEYS[1]) or 0) or 0
if served > tonumber(ARGV[1]) then return 'higher' end
redis.call('SET', KEYS[1], ARGV[1])
return 'opened'
