-- Eject an instance by hand: it gets no calls for a time, after which one probe decides.
--
-- KEYS  instance:{service}:{name}
-- ARGV  for how many ms
-- Returns 1, or 0 when the instance is not known.
--
-- held_until_ms says that the operator wants it so: a health check that passes does not shorten this ejection.

if redis.call("EXISTS", KEYS[1]) == 0 then return 0 end
local clock = redis.call("TIME")
local back = clock[1] * 1000 + math.floor(clock[2] / 1000) + tonumber(ARGV[1])
redis.call("HSET", KEYS[1], "ejected_until_ms", back, "held_until_ms", back)
return 1
