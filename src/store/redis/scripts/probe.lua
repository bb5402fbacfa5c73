-- A probe of the server that also writes: a server that is full, is read-only, or has other types under our keys raises
-- its error here.
--
-- KEYS  1 the probe   2 the epoch that is served   3 the dirty markers   4 the due index
-- ARGV  1 how long the probe is kept, in ms
-- Returns { Redis time in ms, epoch or '', number of dirty markers, the oldest of them in ms (0: none) }
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[1], now, 'PX', ARGV[1])
redis.call('ZCARD', KEYS[4])
local oldest = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
return { now, redis.call('GET', KEYS[2]) or '', redis.call('ZCARD', KEYS[3]), tonumber(oldest[2] or 0) }
