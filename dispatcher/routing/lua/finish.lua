-- End of a call: the lease is given back, and its outcome counted. The script is these fragments joined: call_clock,
-- waiting_calls, call_usage, finish, first_result, outcome, ejection.
--
-- keys     instance · leases: of the instance · waiting, excluded: of the service · decisions
-- args     lease_id · outcome: ok | failed | ignored | probed (ended with its first result) · latency_ms
--          first_ms: how long its first result took; "" where none came · freed_channel · now_ms · name: of the instance
--          cached_ratio: share of the prompt that it had read before; "" where it does not say
--          retry_after_ms: for how long the instance asked to be left alone (Retry-After; "" where it did not)
--          reason: what went wrong in words · origin: whose fault that was (ours | theirs | caller; "" for none)
-- Returns  "ejected", "recovered" or "".

redis.call("ZREM", keys.leases, args.lease_id)
notify_first({ args.name }, true)
redis.call("XADD", keys.decisions, "MAXLEN", "~", DECISIONS_MAXLEN, "*", "lease", args.lease_id, "outcome", args.outcome,
  "latency_ms", args.latency_ms, "reason", args.reason)
-- An instance that left the YAML is not counted back into being.
if redis.call("EXISTS", keys.instance) == 0 then return "" end
if args.outcome ~= "probed" then redis.call("HINCRBY", keys.instance, "calls", 1) end
-- A call whose prompt was read from its beginning takes long on an instance that usually knows most of it: that says
-- nothing of the instance. The first calls that know theirs count at once, in place of those before.
local is_cold, is_first_warm = false, false
if args.cached_ratio ~= "" then
  local ratio = tonumber(args.cached_ratio)
  local before = tonumber(redis.call("HGET", keys.instance, "cached_ratio")) or ratio
  is_cold = before >= WARM_INSTANCE_RATIO and ratio < before * COLD_CALL_FACTOR
  is_first_warm = ratio > 0 and before < ratio * COLD_CALL_FACTOR
  redis.call("HSET", keys.instance, "cached_ratio",
    before + (is_first_warm and 1 or CACHED_SHARE) * (ratio - before))
end
if args.origin ~= "" then redis.call("HINCRBY", keys.instance, "errors_" .. args.origin, 1) end

