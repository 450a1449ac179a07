-- Give an instance no more calls; those that it has may end.
--
-- KEYS  instance:{service}:{name}
-- Returns 1, or 0 when the instance is not known.

if redis.call("EXISTS", KEYS[1]) == 0 then return 0 end
redis.call("HSET", KEYS[1], "draining", "1")
return 1
