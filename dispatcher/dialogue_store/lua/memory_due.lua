-- Note that an exchange with a device is not in its memory yet, and when it is to be summed up.
--
-- KEYS  memory:{device}, memory-due
-- ARGV  device id, ms from now, exchanges after which it is due at once, seconds that a memory lives
-- Returns how many exchanges are not in it

local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local unread = redis.call("HINCRBY", KEYS[1], "unread", 1)
redis.call("EXPIRE", KEYS[1], ARGV[4])
redis.call("ZADD", KEYS[2], unread >= tonumber(ARGV[3]) and now or now + tonumber(ARGV[2]), ARGV[1])
return unread
