-- Time of a call in µs and ms: the clock of Redis, or in simulations the time that is passed.
--
-- args  now_ms

local clock = redis.call("TIME")
local now_us = tonumber(args.now_ms) and tonumber(args.now_ms) * 1000 or clock[1] * 1000000 + clock[2]
local now = math.floor(now_us / 1000)

