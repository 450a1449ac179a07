-- Note that a queue was consumed.
--
-- keys     canary: of the queue
-- args     delay_ms: how long its canary had waited · period_ms: of canaries · lost_after_ms: without any for so long a
--          queue counts as not consumed
-- Returns  1 where the queue had been called not consumed, else 0

local last = tonumber(redis.call("HGET", keys.canary, "at_ms") or "")
-- Since when canaries come without a gap: before that nobody can say who was missing.
if not last or now - last > tonumber(args.lost_after_ms) then redis.call("HSET", keys.canary, "unbroken_since_ms", now) end
redis.call("HSET", keys.canary, "at_ms", now, "delay_ms", args.delay_ms, "period_ms", args.period_ms)
return redis.call("HDEL", keys.canary, "lost")
