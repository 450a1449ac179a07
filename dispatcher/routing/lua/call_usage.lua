-- Usage of a call, added to the counters that wait for the drain of records (telemetry/lua/take_usage.lua).
--
-- rest keys  usage, where the call used something or held a part of a budget; then a hash for each such budget
-- rest args  how the names of its counters begin; then units, each with its amount; at the end, for each budget its
--            period and what the call used of it

local budget_count = math.max(0, #KEYS - FIRST_REST_KEY)
local first_budget = #ARGV + 1 - 2 * budget_count
if KEYS[FIRST_REST_KEY] and redis.call("HLEN", KEYS[FIRST_REST_KEY]) < USAGE_COUNTERS_MAX then
  for at = FIRST_REST + 1, first_budget - 1, 2 do
    redis.call("HINCRBYFLOAT", KEYS[FIRST_REST_KEY], ARGV[FIRST_REST] .. "\31" .. ARGV[at], ARGV[at + 1])
  end
end

local function spend(key, period, amount)
  redis.call("HDEL", key, BUDGET_HELD .. args.lease_id)
  if tonumber(amount) == 0 then return end
  local known = redis.call("HMGET", key, "period", "largest")
  if (known[1] or "") < period then redis.call("HSET", key, "period", period, "spent", 0, "largest", 0) end
  redis.call("HINCRBYFLOAT", key, "spent", amount)
  redis.call("HSET", key, "largest", math.max(tonumber(amount), (known[1] or "") == period and tonumber(known[2]) or 0))
  redis.call("PEXPIRE", key, BUDGET_TTL_MS)
end

for at = 1, budget_count do
  spend(KEYS[FIRST_REST_KEY + at], ARGV[first_budget + 2 * at - 2], ARGV[first_budget + 2 * at - 1])
end

