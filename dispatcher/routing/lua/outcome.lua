-- Outcome of a call (finish.lua): response times, error ratio, the window of the last calls, and recovery.

if args.outcome == "ignored" then return "" end

local latency = tonumber(args.latency_ms)
local raw = redis.call("HMGET", keys.instance, "latency_ewma_ms", "latency_at_ms", "error_ratio", "failures",
  "ejected_until_ms", "ejections", "recent", "failed_at_ms", "held_until_ms", "response_times", "fault_at_ms",
  "recovered_at_ms", "trial_ms", "tried_since_ms", "healthy", "check_run", "failing")
local errors, failures = tonumber(raw[3]) or 0, tonumber(raw[4]) or 0
local ejected_until, ejections = tonumber(raw[5]) or 0, tonumber(raw[6]) or 0
local failed_at, recovered_at, trial = tonumber(raw[8]) or 0, tonumber(raw[12]) or 0, tonumber(raw[13]) or 0
-- An operator, or the instance itself, said until when: a call that began before does not end that.
local held = (tonumber(raw[9]) or 0) > now

-- The last calls, one letter each: + succeeded, - failed.
local last_at = math.max(tonumber(raw[2]) or 0, failed_at)
local recent = now - last_at < OUTLIER_WINDOW_IDLE_MS and raw[7] or ""
recent = string.sub(recent .. (args.outcome == "failed" and "-" or "+"), -OUTLIER_WINDOW_CALLS)

local function peak_ewma()
  local ewma, at = tonumber(raw[1]), tonumber(raw[2]) or now
  if is_cold and ewma then return ewma end
  if not ewma or latency > ewma or is_first_warm then return latency end
  local keep = math.exp(-(now - at) / LATENCY_DECAY_MS)
  return ewma * keep + latency * (1 - keep)
end

local function response_times()
  local whole_ms = math.min(RESPONSE_TIME_MAX_MS, math.floor(latency + 0.5))
  local newest = string.format("%" .. RESPONSE_TIME_WIDTH .. "d", whole_ms)
  return string.sub((raw[10] or "") .. newest, -RESPONSE_TIMES_KEPT * RESPONSE_TIME_WIDTH)
end

-- A probe ends at its first result: it shows that the instance answers, not how long a whole call takes.
if args.outcome == "probed" then
  redis.call("HSET", keys.instance, "error_ratio", errors * (1 - ERROR_SHARE), "failures", 0, "recent", recent)
elseif args.outcome == "ok" then
  redis.call("HSET", keys.instance, "latency_ewma_ms", peak_ewma(), "latency_at_ms", now, "error_ratio",
    errors * (1 - ERROR_SHARE), "failures", 0, "recent", recent, "response_times", response_times())
end
if args.outcome ~= "failed" then
  -- A call that began before the last failure ends well without saying anything of now.
  local is_news = now - latency >= failed_at
  local was_down = is_news and (raw[15] == "0" or raw[17])
  if is_news and (was_down or (tonumber(raw[16]) or 0) < 0) then
    -- A call that succeeds is better evidence than any check.
    redis.call("HSET", keys.instance, "healthy", "1", "check_run", 0)
    redis.call("HDEL", keys.instance, "failing")
    if was_down then redis.call("HSET", keys.instance, "recovered_at_ms", now) end
  end
  if ejected_until == 0 or held or not is_news then return was_down and "recovered" or "" end
  local tried_since = tonumber(raw[14]) or now
  if now - tried_since < trial then
    redis.call("HSET", keys.instance, "tried_since_ms", tried_since)
    return ""
  end
  redis.call("HDEL", keys.instance, "tried_since_ms")
  redis.call("HSET", keys.instance, "ejected_until_ms", 0, "recovered_at_ms", now)
  return "recovered"
end

failures = failures + 1
redis.call("HDEL", keys.instance, "tried_since_ms")
redis.call("HSET", keys.instance, "error_ratio", errors * (1 - ERROR_SHARE) + ERROR_SHARE, "failures", failures,
  "failed_at_ms", now, "fault_at_ms", now, "recent", recent, "last_reason", args.reason)
if now - (tonumber(raw[11]) or 0) >= FAULT_QUIET_MS then redis.call("HSET", keys.instance, "fault_began_ms", now) end

