-- Show that a worker lives, by the clock of Redis.
--
-- KEYS     workers
-- ARGV     its id

local clock = redis.call("TIME")
redis.call("ZADD", KEYS[1], clock[1] * 1000 + math.floor(clock[2] / 1000), ARGV[1])
