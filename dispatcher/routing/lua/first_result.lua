-- Time to the first result, learned from every call that had one (finish.lua).

local function learn_first(took)
  local known = redis.call("HMGET", keys.instance, "first_ms", "slow_since_ms", "ejected_until_ms")
  local usual = tonumber(known[1]) or took
  local way = math.log(took / usual)
  local is_better = known[2] and took * FIRST_BETTER_FACTOR < usual
  local is_surprise = is_better or math.abs(way) > math.log(FIRST_SURPRISE_FACTOR)
  local share = is_surprise and FIRST_SURPRISE_SHARE or FIRST_SHARE
  -- What it took before it was ejected is of the past.
  local ejected_until = tonumber(known[3]) or 0
  if args.outcome ~= "failed" and ejected_until > 0 and ejected_until <= now or is_first_warm then share = 1 end
  redis.call("HSET", keys.instance, "first_ms", usual * math.exp(share * way))
  if is_better then redis.call("HSET", keys.instance, "slow_since_ms", now) end
end

local first = tonumber(args.first_ms)
if first and not is_cold then learn_first(math.max(FIRST_MIN_MS, first)) end

