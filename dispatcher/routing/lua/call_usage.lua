-- Usage of a call, added to the counters that wait for the drain of records (telemetry/lua/take_usage.lua).
--
-- rest keys  usage, where the call used something or held a part of a budget; then a hash for each such budget
-- rest args  how the names of its counters begin; then units, each with its amount; at the end, for each budget its
--            period, what the call used of it, and the service: a large call of each is another size

local budget_count = math.max(0, #KEYS - FIRST_REST_KEY)
local first_budget = #ARGV + 1 - 3 * budget_count
local usage, counted = KEYS[FIRST_REST_KEY], ARGV[FIRST_REST]
if usage and first_budget > FIRST_REST + 1 then
  -- More devices than anybody has are counted together: what an instance used in all stays right.
  if redis.call("HLEN", usage) >= USAGE_COUNTERS_MAX and redis.call("HEXISTS", usage, counted .. "\31calls") == 0 then
    counted = string.gsub(counted, "\31[^\31]*\31[^\31]*$", "\31" .. USAGE_OTHERS .. "\31")
  end
  for at = FIRST_REST + 1, first_budget - 1, 2 do
    redis.call("HINCRBYFLOAT", usage, counted .. "\31" .. ARGV[at], ARGV[at + 1])
  end
end

local function spend(key, period, amount, service)
  redis.call("HDEL", key, BUDGET_HELD .. args.lease_id)
  if tonumber(amount) == 0 then return end
  if (redis.call("HGET", key, "period") or "") < period then
    redis.call("HSET", key, "period", period, "spent", 0)
    redis.call("HDEL", key, "largest:asr", "largest:llm", "largest:tts")
  end
  redis.call("HINCRBYFLOAT", key, "spent", amount)
  local largest = tonumber(redis.call("HGET", key, "largest:" .. service)) or 0
  redis.call("HSET", key, "largest:" .. service, math.max(tonumber(amount), largest))
  redis.call("PEXPIRE", key, BUDGET_TTL_MS)
end

for at = 1, budget_count do
  local first = first_budget + 3 * (at - 1)
  spend(KEYS[FIRST_REST_KEY + at], ARGV[first], ARGV[first + 1], ARGV[first + 2])
end

