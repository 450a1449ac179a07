-- Ejection of an instance after a failed call (finish.lua), and how long it stays out.

-- The instance said for how long; that is no guess of ours, so the ejections do not grow by it.
local retry_after = tonumber(args.retry_after_ms)
if retry_after and retry_after > 0 then
  local wanted = now + math.min(EJECTION_MAX_MS, retry_after)
  if wanted > ejected_until then
    redis.call("HSET", keys.instance, "ejected_until_ms", wanted, "held_until_ms", wanted, "recent", "")
  end
  if ejected_until > now then return "" end
  redis.call("HINCRBY", keys.instance, "ejections_count", 1)
  return "ejected"
end

local function is_outlier()
  local _, failed = string.gsub(recent, "-", "")
  local mostly_failing = #recent >= OUTLIER_FEWEST_CALLS and failed / #recent >= OUTLIER_FAILED_RATIO
  return failures >= EJECTION_FAILURES or mostly_failing
end

-- A probe that fails ejects again at once; the time grows with every ejection, and each minute of good service takes
-- one doubling back. A return alone takes none, or one that comes and goes would be trusted anew each time.
local is_half_open = ejected_until > 0 and ejected_until <= now
if ejected_until > now or not (is_half_open or is_outlier()) then return "" end
if not is_half_open then
  local served_ms = now - recovered_at
  ejections = math.max(0, ejections - math.floor(served_ms / FLAP_MS))
  local flaps = recovered_at > 0 and served_ms < FLAP_MS
  trial = flaps and math.min(TRIAL_MAX_MS, math.max(TRIAL_BASE_MS, 2 * trial)) or 0
end
ejections = ejections + 1
local out_ms = math.min(EJECTION_MAX_MS, EJECTION_BASE_MS * 2 ^ (ejections - 1))
redis.call("HSET", keys.instance, "ejected_until_ms", now + out_ms, "ejections", ejections, "recent", "", "trial_ms", trial)
redis.call("HINCRBY", keys.instance, "ejections_count", 1)
return "ejected"
