-- Count an active health check; an instance goes down or comes up only after several in a row.
--
-- keys     instance
-- args     verdict: 1 passed, 0 failed, "" where nothing speaks for or against it · failure_threshold ·
--          recovery_threshold · reason: what went wrong in words · cpu, memory: as the instance reported them (0..1; ""
--          where it did not) · missing: what its line lacks before it can be called · page_worked: whether a probe page
--          did (1 | 0 | "" for no news) · called: whether a call was made for this check (1 | 0) · is_failing: whether
--          calls fail by what its line says (1 | 0)
-- Returns  "down", "up", "failing" or "not configured" when the state changed, else ""

local key, passed = keys.instance, args.verdict == "1"
local failure_threshold, recovery_threshold = tonumber(args.failure_threshold), tonumber(args.recovery_threshold)
-- An instance that left the YAML is not checked back into being.
if redis.call("EXISTS", key) == 0 then return "" end

if args.missing ~= "" then
  local was = redis.call("HGET", key, "unconfigured")
  redis.call("HSET", key, "unconfigured", args.missing, "checked_at_ms", now)
  return was == args.missing and "" or "not configured"
end
redis.call("HDEL", key, "unconfigured")
if args.page_worked == "1" then redis.call("HSET", key, "page_worked", 1) end
if args.page_worked == "0" then redis.call("HDEL", key, "page_worked") end
if args.called == "1" then redis.call("HSET", key, "called_at_ms", now) end
local raw = redis.call("HMGET", key, "healthy", "check_run", "ejected_until_ms", "held_until_ms", "failed_at_ms")
local healthy, run_before = raw[1] ~= "0", tonumber(raw[2]) or 0
local run = passed and math.max(run_before, 0) + 1 or math.min(run_before, 0) - 1
local begins_to_fail = false
if args.is_failing == "1" then
  begins_to_fail = redis.call("HEXISTS", key, "failing") == 0
  redis.call("HSET", key, "failing", args.reason)
elseif passed then
  redis.call("HDEL", key, "failing")
end
redis.call("HSET", key, "checked_at_ms", now)
if args.verdict ~= "" then redis.call("HSET", key, "check_run", run) end
if args.verdict == "0" then redis.call("HSET", key, "last_reason", args.reason, "failed_at_ms", now) end

-- What is not reported is not known any more, and never 0.
for field, ratio in pairs({ cpu = args.cpu, memory = args.memory }) do
  if ratio ~= "" then redis.call("HSET", key, field, ratio) else redis.call("HDEL", key, field) end
end

if args.verdict == "" then return "" end

-- A check that passes lets an ejected instance be probed before its time, unless an operator, or the instance itself,
-- said until when: now where checks had failed as well and see the end of it. One that passed all the while sees
-- nothing of what is wrong with the calls: a probe each time would cost users a failed call every few seconds.
local ejected_until, held_until = tonumber(raw[3]) or 0, tonumber(raw[4]) or 0
if passed and ejected_until > now and held_until <= now then
  local probe_at = run_before < 0 and now or (tonumber(raw[5]) or 0) + CHECKED_HALF_OPEN_AFTER_MS
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
