-- Note that a queue was consumed.
--
-- KEYS     canary:{queue}
-- ARGV     how long its canary had waited in ms, the period of canaries in ms, after how many ms without any a queue
--          counts as not consumed
-- Returns  1 where the queue had been called not consumed, else 0

local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local last = tonumber(redis.call("HGET", KEYS[1], "at_ms") or "")
-- Since when canaries come without a gap: before that nobody can say who was missing.
if not last or now - last > tonumber(ARGV[3]) then redis.call("HSET", KEYS[1], "unbroken_since_ms", now) end
redis.call("HSET", KEYS[1], "at_ms", now, "delay_ms", ARGV[1], "period_ms", ARGV[2])
return redis.call("HDEL", KEYS[1], "lost")
