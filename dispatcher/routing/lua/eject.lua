-- Eject an instance by hand: it gets no calls for a time, after which one probe decides.
--
-- keys     instance
-- args     for_ms
-- Returns  1, or 0 when the instance is not known
--
-- held_until_ms says that the operator wants it so: a health check that passes does not shorten this ejection.

if redis.call("EXISTS", keys.instance) == 0 then return 0 end
local until_ms = now + tonumber(args.for_ms)
redis.call("HSET", keys.instance, "ejected_until_ms", until_ms, "held_until_ms", until_ms)
return 1
