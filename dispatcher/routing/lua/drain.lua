-- Give an instance no more calls; those that it has may end.
--
-- keys     instance
-- Returns  1, or 0 when the instance is not known

if redis.call("EXISTS", keys.instance) == 0 then return 0 end
redis.call("HSET", keys.instance, "draining", "1")
return 1
