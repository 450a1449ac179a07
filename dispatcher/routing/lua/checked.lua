-- Count an active health check; an instance goes down or comes up only after several in a row.
--
-- KEYS  instance:{service}:{name}
-- ARGV  passed (1 | 0; "" where nothing speaks for or against it), failure threshold, recovery threshold, what went wrong in words, CPU and memory as the
--       instance reported them (0..1; "" where it did not), what its line lacks before it can be called,
--       whether a probe page worked (1 | 0 | "" for no news), whether a call was made for this check (1 | 0), whether
--       calls fail by what its line says (1 | 0)
-- Returns "down", "up", "failing" or "not configured" when the state changed, else "".

-- So long after the last failure an instance that checks call well is probed, however long its ejection has grown.
local PROBE_AFTER_MS = 15000

local key, passed = KEYS[1], ARGV[1] == "1"
local failure_threshold, recovery_threshold = tonumber(ARGV[2]), tonumber(ARGV[3])
-- An instance that left the YAML is not checked back into being.
if redis.call("EXISTS", key) == 0 then return "" end

local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if ARGV[7] ~= "" then
  local was = redis.call("HGET", key, "unconfigured")
  redis.call("HSET", key, "unconfigured", ARGV[7], "checked_at_ms", now)
  return was == ARGV[7] and "" or "not configured"
end
redis.call("HDEL", key, "unconfigured")
if ARGV[8] == "1" then redis.call("HSET", key, "page_worked", 1) end
if ARGV[8] == "0" then redis.call("HDEL", key, "page_worked") end
if ARGV[9] == "1" then redis.call("HSET", key, "called_at_ms", now) end
local raw = redis.call("HMGET", key, "healthy", "check_run", "ejected_until_ms", "held_until_ms", "failed_at_ms")
local healthy, run_before = raw[1] ~= "0", tonumber(raw[2]) or 0
local run = passed and math.max(run_before, 0) + 1 or math.min(run_before, 0) - 1
local begins_to_fail = false
if ARGV[10] == "1" then
  begins_to_fail = redis.call("HEXISTS", key, "failing") == 0
  redis.call("HSET", key, "failing", ARGV[4])
elseif passed then
  redis.call("HDEL", key, "failing")
end
redis.call("HSET", key, "checked_at_ms", now)
if ARGV[1] ~= "" then redis.call("HSET", key, "check_run", run) end
if ARGV[1] == "0" then redis.call("HSET", key, "last_reason", ARGV[4], "failed_at_ms", now) end

-- What is not reported is not known any more, and never 0.
for index, field in ipairs({ "cpu", "memory" }) do
  local ratio = ARGV[4 + index]
  if ratio ~= "" then redis.call("HSET", key, field, ratio) else redis.call("HDEL", key, field) end
end

if ARGV[1] == "" then return "" end

-- A check that passes lets an ejected instance be probed before its time, unless an operator, or the instance itself,
-- said until when: now where checks had failed as well and see the end of it. One that passed all the while sees
-- nothing of what is wrong with the calls: a probe each time would cost users a failed call every few seconds.
local ejected_until, held_until = tonumber(raw[3]) or 0, tonumber(raw[4]) or 0
if passed and ejected_until > now and held_until <= now then
  local probe_at = run_before < 0 and now or (tonumber(raw[5]) or 0) + PROBE_AFTER_MS
  redis.call("HSET", key, "ejected_until_ms", math.min(ejected_until, math.max(now, probe_at)))
end

if healthy and run <= -failure_threshold then
  redis.call("HSET", key, "healthy", "0")
  return redis.call("HEXISTS", key, "failing") == 1 and begins_to_fail and "failing" or "down"
end
if begins_to_fail then return "failing" end
if not healthy and run >= recovery_threshold then
  redis.call("HSET", key, "healthy", "1", "recovered_at_ms", now)
  return "up"
end
return ""
