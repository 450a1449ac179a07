-- Give a lease back and learn from the call.
--
-- KEYS  instance:{service}:{name}, leases:{service}:{name}, waiting:{service}, decisions, excluded:{service}
-- ARGV  lease id, outcome (ok | failed | ignored | probed), latency in ms, failures in a row that eject, the channel on
--       which the call that waits longest hears that a slot is free, for how many ms the instance asked to be
--       left alone (Retry-After; "" where it did not), a time in ms in place of the clock of Redis (simulations),
--       what went wrong in words, whose fault a failure was (ours | theirs | caller; "" where nothing failed),
--       the instance's name, how long its first result took in ms ("" where none came); a probe ends with that
-- Returns "ejected", "recovered" or "".
--
-- Peak EWMA: a slower call counts at once, faster ones over DECAY_MS (Finagle's rule).
-- Outliers: so many failures in a row, or half of the last WINDOW calls (Envoy's success rate, for few calls).

local lease, outcome = ARGV[1], ARGV[2]
local latency, threshold = tonumber(ARGV[3]), tonumber(ARGV[4])
local retry_after = tonumber(ARGV[6] or "")
local DECAY_MS, ERROR_WEIGHT = 10000, 0.1
local EJECTION_MS, EJECTION_MAX_MS = 5000, 300000
local WINDOW, FEWEST_CALLS, FAILED_RATIO = 10, 5, 0.5
-- An old failure says nothing of now: after so long without any call the window begins anew.
local WINDOW_IDLE_MS = 60000
-- One that fails again within a minute of its return flaps: next time it has to answer its probes well for five
-- seconds, twice as long with each such return, before it is trusted with more than one call at a time.
local FLAP_MS, TRIAL_MS, TRIAL_MAX_MS = 60000, 5000, 40000
-- The last response times stand in one field, each as wide as the others: to add one and drop the oldest is one cut.
local TIMES_KEPT, TIME_WIDTH, LONGEST_MS = 100, 7, 9999999
-- Times to a first result are averaged by their logarithms: a fifth of the way for each, three where one is so
-- many times as long or as short as usual. One call that takes three times as long makes no instance slow.
local FIRST_SHARE, FIRST_SURPRISE_SHARE, FIRST_SURPRISE, FIRST_LEAST_MS = 0.2, 0.6, 3, 20
-- A result of a slow instance that is shorter by this is a sign that it has recovered: it counts as a surprise, and
-- if that is not enough, the next probe comes soon.
local FIRST_BETTER = 2
-- Failed calls that come closer together than this are one fault.
local FAULT_QUIET_MS = 60000

redis.call("ZREM", KEYS[2], lease)
-- The first in line hears of the slot; where this instance failed that call, the first who may use it does as well.
for rank = 0, redis.call("ZCARD", KEYS[3]) - 1 do
  local id = redis.call("ZRANGE", KEYS[3], rank, rank)[1]
  local barred = "," .. (redis.call("HGET", KEYS[5], id) or "") .. ","
  local may_use = not string.find(barred, "," .. ARGV[10] .. ",", 1, true)
  if rank == 0 or may_use then redis.call("PUBLISH", ARGV[5], id) end
  if may_use then break end
end
redis.call("XADD", KEYS[4], "MAXLEN", "~", 5000, "*", "lease", lease, "outcome", outcome, "latency_ms", latency,
  "reason", ARGV[8])
-- An instance that left the YAML is not counted back into being.
if redis.call("EXISTS", KEYS[1]) == 0 then return "" end
if outcome ~= "probed" then redis.call("HINCRBY", KEYS[1], "calls", 1) end
if ARGV[9] ~= "" then redis.call("HINCRBY", KEYS[1], "errors_" .. ARGV[9], 1) end

local clock = redis.call("TIME")
local now = tonumber(ARGV[7] or "") or clock[1] * 1000 + math.floor(clock[2] / 1000)

local function learn_first(took)
  local known = redis.call("HMGET", KEYS[1], "first_ms", "slow_since_ms", "ejected_until_ms")
  local usual = tonumber(known[1]) or took
  local way = math.log(took / usual)
  local is_better = known[2] and took * FIRST_BETTER < usual
  local is_surprise = is_better or math.abs(way) > math.log(FIRST_SURPRISE)
  local share = is_surprise and FIRST_SURPRISE_SHARE or FIRST_SHARE
  -- What it took before it was ejected is of the past.
  local ejected_until = tonumber(known[3]) or 0
  if outcome ~= "failed" and ejected_until > 0 and ejected_until <= now then share = 1 end
  redis.call("HSET", KEYS[1], "first_ms", usual * math.exp(share * way))
  if is_better then redis.call("HSET", KEYS[1], "slow_since_ms", now) end
end
local first = tonumber(ARGV[11] or "")
if first then learn_first(math.max(FIRST_LEAST_MS, first)) end
if outcome == "ignored" then return "" end

local raw = redis.call("HMGET", KEYS[1], "latency_ewma_ms", "latency_at_ms", "error_ratio", "failures",
  "ejected_until_ms", "ejections", "recent", "failed_at_ms", "held_until_ms", "response_times", "fault_at_ms",
  "recovered_at_ms", "trial_ms", "tried_since_ms", "healthy", "check_run", "failing")
local errors, failures = tonumber(raw[3]) or 0, tonumber(raw[4]) or 0
local ejected_until, ejections = tonumber(raw[5]) or 0, tonumber(raw[6]) or 0
local recovered_at, trial = tonumber(raw[12]) or 0, tonumber(raw[13]) or 0
-- An operator, or the instance itself, said until when: a call that began before does not end that.
local held = (tonumber(raw[9]) or 0) > now

-- The last calls, one letter each: + went well, - failed.
local last_at = math.max(tonumber(raw[2]) or 0, tonumber(raw[8]) or 0)
local recent = now - last_at < WINDOW_IDLE_MS and raw[7] or ""
recent = string.sub(recent .. (outcome == "failed" and "-" or "+"), -WINDOW)

-- A probe ends at its first result: it shows that the instance answers, not how long a whole call takes.
if outcome == "probed" then
  redis.call("HSET", KEYS[1], "error_ratio", errors * (1 - ERROR_WEIGHT), "failures", 0, "recent", recent)
elseif outcome == "ok" then
  local ewma, at = tonumber(raw[1]), tonumber(raw[2]) or now
  if not ewma or latency > ewma then
    ewma = latency
  else
    local keep = math.exp(-(now - at) / DECAY_MS)
    ewma = ewma * keep + latency * (1 - keep)
  end
  local time = string.format("%" .. TIME_WIDTH .. "d", math.min(LONGEST_MS, math.floor(latency + 0.5)))
  redis.call("HSET", KEYS[1], "latency_ewma_ms", ewma, "latency_at_ms", now, "error_ratio",
    errors * (1 - ERROR_WEIGHT), "failures", 0, "recent", recent,
    "response_times", string.sub((raw[10] or "") .. time, -TIMES_KEPT * TIME_WIDTH))
end
if outcome ~= "failed" then
  -- A call that began before the last failure ends well without saying anything of now.
  local is_news = now - latency >= (tonumber(raw[8]) or 0)
  local was_down = is_news and (raw[15] == "0" or raw[17])
  if is_news and (was_down or (tonumber(raw[16]) or 0) < 0) then
    -- A call that succeeds is better evidence than any check.
    redis.call("HSET", KEYS[1], "healthy", "1", "check_run", 0)
    redis.call("HDEL", KEYS[1], "failing")
    if was_down then redis.call("HSET", KEYS[1], "recovered_at_ms", now) end
  end
  if ejected_until == 0 or held or not is_news then return was_down and "recovered" or "" end
  local tried_since = tonumber(raw[14]) or now
  if now - tried_since < trial then
    redis.call("HSET", KEYS[1], "tried_since_ms", tried_since)
    return ""
  end
  redis.call("HDEL", KEYS[1], "tried_since_ms")
  redis.call("HSET", KEYS[1], "ejected_until_ms", 0, "recovered_at_ms", now)
  return "recovered"
end

failures = failures + 1
redis.call("HDEL", KEYS[1], "tried_since_ms")
redis.call("HSET", KEYS[1], "error_ratio", errors * (1 - ERROR_WEIGHT) + ERROR_WEIGHT, "failures", failures,
  "failed_at_ms", now, "fault_at_ms", now, "recent", recent, "last_reason", ARGV[8])
if now - (tonumber(raw[11]) or 0) >= FAULT_QUIET_MS then redis.call("HSET", KEYS[1], "fault_began_ms", now) end

-- It said for how long; that is no guess of ours, so the ejections do not grow by it.
if retry_after and retry_after > 0 then
  local wanted = now + math.min(EJECTION_MAX_MS, retry_after)
  if wanted > ejected_until then
    redis.call("HSET", KEYS[1], "ejected_until_ms", wanted, "held_until_ms", wanted, "recent", "")
  end
  return ejected_until <= now and "ejected" or ""
end

-- A probe that fails ejects again at once; the time grows with every ejection, and each minute of good service takes
-- one doubling back. A return alone takes none, or one that comes and goes would be trusted anew each time.
local probing = ejected_until > 0 and ejected_until <= now
local _, failed = string.gsub(recent, "-", "")
local mostly_failing = #recent >= FEWEST_CALLS and failed / #recent >= FAILED_RATIO
if (failures >= threshold or mostly_failing or probing) and ejected_until <= now then
  if not probing then
    local served_ms = now - recovered_at
    ejections = math.max(0, ejections - math.floor(served_ms / FLAP_MS))
    local flaps = recovered_at > 0 and served_ms < FLAP_MS
    trial = flaps and math.min(TRIAL_MAX_MS, math.max(TRIAL_MS, 2 * trial)) or 0
  end
  ejections = ejections + 1
  local away = math.min(EJECTION_MAX_MS, EJECTION_MS * 2 ^ (ejections - 1))
  redis.call("HSET", KEYS[1], "ejected_until_ms", now + away, "ejections", ejections, "recent", "",
    "trial_ms", trial)
  return "ejected"
end
return ""
