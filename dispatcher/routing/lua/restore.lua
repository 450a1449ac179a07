-- End draining and ejection, forget that it was slow, and count health from nothing; one that was out starts slowly.
--
-- KEYS  instance:{service}:{name}
-- Returns 1, or 0 when the instance is not known.

local key = KEYS[1]
if redis.call("EXISTS", key) == 0 then return 0 end

local raw = redis.call("HMGET", key, "draining", "healthy", "ejected_until_ms", "failing")
local was_out = raw[1] == "1" or raw[2] == "0" or (tonumber(raw[3]) or 0) > 0 or raw[4]
redis.call("HDEL", key, "draining", "healthy", "check_run", "ejected_until_ms", "held_until_ms", "ejections",
  "error_ratio", "failures", "failed_at_ms", "recent", "last_reason", "trial_ms", "tried_since_ms", "failing",
  "first_ms", "slow_since_ms")
if was_out then
  local clock = redis.call("TIME")
  redis.call("HSET", key, "recovered_at_ms", clock[1] * 1000 + math.floor(clock[2] / 1000))
end
return 1
