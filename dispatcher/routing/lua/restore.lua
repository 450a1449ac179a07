-- End draining and ejection, clear that it was slow, and count health from nothing; one that was out starts slowly.
--
-- keys     instance
-- Returns  1, or 0 when the instance is not known

local key = keys.instance
if redis.call("EXISTS", key) == 0 then return 0 end
local raw = redis.call("HMGET", key, "draining", "healthy", "ejected_until_ms", "failing")
local was_out = raw[1] == "1" or raw[2] == "0" or (tonumber(raw[3]) or 0) > 0 or raw[4]
redis.call("HDEL", key, "draining", "healthy", "check_run", "ejected_until_ms", "held_until_ms", "ejections",
  "error_ratio", "failures", "failed_at_ms", "recent", "last_reason", "trial_ms", "tried_since_ms", "failing",
  "first_ms", "slow_since_ms")
if was_out then redis.call("HSET", key, "recovered_at_ms", now) end
return 1
