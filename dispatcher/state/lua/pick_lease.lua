-- Choose an instance of a service and take a lease on it, in one step.
--
-- KEYS     fleet:{service}: algorithm, names (comma-joined, in the order of the YAML), cap of the service
--          cancelled:{turn} · waiting:{service} · seen:{service} · decisions
-- ARGV     lease id, lease time to live in ms, dice in 0..1, excluded names (comma-joined), how the keys of an
--          instance and of its leases begin, service, turn, whether to wait in line (1 | 0), the channel on which
--          the next in line hears of a slot; a time in ms instead of the clock of Redis (simulations)
-- Returns  {"ok", name, in_flight with this lease, reason} | {"cancelled"} | {"forgotten"} | {"none"} |
--          {"full", calls that wait in front}: the call waits under its lease id, first come, first served
--
-- Health is a filter, weight is a wish, load is pressure: see the table in docs/balancing.md.

local lease, ttl_ms, dice = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local INSTANCE, LEASES, service, turn = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local WAITING, SEEN, DECISIONS = KEYS[3], KEYS[4], KEYS[5]
local WAITER_GONE_MS, DECISIONS_KEPT = 2000, 5000
local CLASSES = { "high", "normal", "low" }
local SLOW_START_MS, SLOW_START_FLOOR = 10000, 0.1
-- Without calls nothing new is learned: what is known fades, or one slow call would shut an instance out for good.
local FORGIVE_MS = 30000
local SLOW_FACTOR = 3

if redis.call("EXISTS", KEYS[2]) == 1 then
  -- Its place in line would hold up those behind it.
  redis.call("ZREM", WAITING, lease)
  redis.call("ZREM", SEEN, lease)
  return { "cancelled" }
end

local clock = redis.call("TIME")
local now_us = ARGV[11] ~= "" and tonumber(ARGV[11]) * 1000 or clock[1] * 1000000 + clock[2]
local now = math.floor(now_us / 1000)

local fleet = redis.call("HMGET", KEYS[1], "algorithm", "names", "cap")
if not fleet[1] then return { "forgotten" } end
local algorithm = fleet[1]

local excluded = {}
for name in string.gmatch(ARGV[4], "[^,]+") do excluded[name] = true end

-- Read every instance once.
local instances = {}
for name in string.gmatch(fleet[2], "[^,]+") do
  local key = INSTANCE .. name
  local raw = redis.call("HMGET", key, "weight", "cap", "priority", "draining", "healthy", "ejected_until_ms",
    "recovered_at_ms", "latency_ewma_ms", "error_ratio", "current", "cpu", "memory", "latency_at_ms", "adjustment",
    "cap_limit", "priority_override")
  local leases = LEASES .. name
  redis.call("ZREMRANGEBYSCORE", leases, "-inf", now)
  local ejected_until = tonumber(raw[6]) or 0
  local latency, idle_ms = tonumber(raw[8]), math.max(0, now - (tonumber(raw[13]) or now))
  local known = latency
  if latency then latency = latency * math.exp(-idle_ms / FORGIVE_MS) end
  local cap = tonumber(raw[2]) or 1
  -- What the control loop learned stands beside what the operator configured, and never replaces it.
  instances[#instances + 1] = {
    name = name, key = key, leases = leases,
    weight = (tonumber(raw[1]) or 1) * (tonumber(raw[14]) or 1), cap = math.min(cap, tonumber(raw[15]) or cap),
    priority = raw[16] or raw[3] or "normal",
    draining = raw[4] == "1", healthy = raw[5] ~= "0",
    ejected = ejected_until > now, half_open = ejected_until > 0 and ejected_until <= now,
    recovered_at = tonumber(raw[7]) or 0, latency = latency, known = known, errors = tonumber(raw[9]) or 0,
    current = tonumber(raw[10]) or 0, cpu = tonumber(raw[11]), memory = tonumber(raw[12]),
    in_flight = redis.call("ZCARD", leases),
  }
end

local function usable(it)
  return not it.draining and it.healthy and not it.ejected and not excluded[it.name]
end

-- While fewer calls wait than the quick instances have slots, a slot comes within the time of one quick call: to
-- wait is better than to take an instance that is known to need SLOW_FACTOR times as long.
local function shun_the_slow(all)
  local quickest, quick_slots = {}, 0
  for _, it in ipairs(all) do
    local best = quickest[it.priority]
    if usable(it) and it.known and (not best or it.known < best) then quickest[it.priority] = it.known end
  end
  local function slow(it)
    local best = quickest[it.priority]
    return best and it.latency and it.latency > SLOW_FACTOR * best
  end
  for _, it in ipairs(all) do if usable(it) and not slow(it) then quick_slots = quick_slots + it.cap end end
  if redis.call("ZCARD", WAITING) >= quick_slots then return end
  for _, it in ipairs(all) do it.shunned = slow(it) end
end

-- One call at a time probes an instance that comes back, or is slow; everything else up to its cap.
local function open_slots(it)
  return (it.half_open or it.shunned) and math.min(1, it.cap) or it.cap
end

local function has_room(it)
  return it.in_flight < open_slots(it)
end

-- Slow start: the wanted share grows from a tenth to the whole over ten seconds.
local function effective_weight(it)
  local age = now - it.recovered_at
  if it.recovered_at == 0 or age >= SLOW_START_MS then return it.weight end
  return it.weight * math.max(SLOW_START_FLOOR, age / SLOW_START_MS)
end

local function median_latency(all)
  local seen = {}
  for _, it in ipairs(all) do if it.latency then seen[#seen + 1] = it.latency end end
  if #seen == 0 then return 1 end
  table.sort(seen)
  return seen[math.ceil(#seen / 2)]
end

local function sum_weights(all)
  local sum = 0
  for _, it in ipairs(all) do sum = sum + effective_weight(it) end
  return sum
end

-- Resource based: all terms 0..1; what an instance does not report is left out, the rest renormalised.
local function resource_load(it, latency)
  local terms = {
    { 0.30, it.cpu }, { 0.25, it.memory }, { 0.20, it.in_flight / it.cap },
    { 0.15, latency and math.min(latency / 1000, 1) }, { 0.10, it.errors },
  }
  local sum, share = 0, 0
  for _, term in ipairs(terms) do
    if term[2] then sum, share = sum + term[1] * term[2], share + term[1] end
  end
  local factor = it.priority == "high" and 0.8 or it.priority == "low" and 1.2 or 1
  return sum / share * factor
end

local function load_of(it, all)
  if algorithm == "least_connections" then
    return (it.in_flight + 1) / (it.cap * effective_weight(it) / sum_weights(all))
  elseif algorithm == "response_time" then
    local slow_start = it.weight / effective_weight(it)
    return (it.latency or median_latency(all)) * (it.in_flight + 1) / it.cap * (1 + 10 * it.errors) * slow_start
  end
  return resource_load(it, it.latency)
end

-- Smooth (weighted) round robin: nginx's way, ABAABA instead of AAAABB.
local function pick_in_turn(class, weighted)
  local total, best = 0, nil
  for _, it in ipairs(class) do
    local weight = weighted and effective_weight(it) or 1
    total = total + weight
    it.current = it.current + weight
    if not best or it.current > best.current then best = it end
  end
  for _, it in ipairs(class) do
    local current = it == best and it.current - total or it.current
    redis.call("HSET", it.key, "current", current)
  end
  return best, "in turn"
end

local function pick_least_loaded(class)
  local best, best_load, ties, loads = nil, nil, 0, {}
  for _, it in ipairs(class) do
    local load = load_of(it, class)
    loads[#loads + 1] = string.format("%s %.3g", it.name, load)
    if not best or load < best_load then
      best, best_load, ties = it, load, 1
    elseif load == best_load then
      ties = ties + 1
      dice = (dice * 9301 + 0.49297) % 1
      if dice < 1 / ties then best = it end
    end
  end
  return best, "load " .. table.concat(loads, ", ")
end

local function pick(class)
  if algorithm == "round_robin" then return pick_in_turn(class, false) end
  if algorithm == "weighted_round_robin" then return pick_in_turn(class, true) end
  return pick_least_loaded(class)
end

-- What `dispatcher why` tells: every instance and why it could, or could not, have the call.
local function state_of(it)
  if excluded[it.name] then return "failed this call" end
  if it.draining then return "draining" end
  if not it.healthy then return "down" end
  if it.ejected then return "ejected" end
  if it.half_open then return "half-open" end
  if it.shunned then return "slow" end
  return it.in_flight .. "/" .. it.cap
end

local room, in_flight = 0, 0

local function take(it, why)
  redis.call("ZADD", it.leases, now + ttl_ms, lease)
  redis.call("PEXPIRE", it.leases, 60000)
  local waited = redis.call("ZREM", WAITING, lease) == 1
  redis.call("ZREM", SEEN, lease)
  -- Two slots that were freed at once both called for the same first one; it passes the word on.
  local next_in_line = waited and redis.call("ZRANGE", WAITING, 0, 0)[1]
  if next_in_line and room > 1 then redis.call("PUBLISH", ARGV[10], next_in_line) end
  local candidates = {}
  for _, other in ipairs(instances) do candidates[#candidates + 1] = other.name .. " " .. state_of(other) end
  local reason = algorithm .. ": " .. why
  redis.call("XADD", DECISIONS, "MAXLEN", "~", DECISIONS_KEPT, "*", "turn", turn, "service", service,
    "lease", lease, "instance", it.name, "reason", reason, "candidates", table.concat(candidates, ", "))
  return { "ok", it.name, it.in_flight + 1, reason }
end

-- First come, first served: a call may not overtake those that wait, unless there is room for all of them.
-- A waiter shows itself at each look; one that does so no more is gone.
local function waits_in_front()
  for _, gone in ipairs(redis.call("ZRANGEBYSCORE", SEEN, "-inf", now - WAITER_GONE_MS)) do
    redis.call("ZREM", WAITING, gone)
    redis.call("ZREM", SEEN, gone)
  end
  return redis.call("ZRANK", WAITING, lease) or redis.call("ZCARD", WAITING)
end

local function wait_in_line()
  if ARGV[9] == "0" then return { "full", redis.call("ZCARD", WAITING) } end
  redis.call("ZADD", WAITING, "NX", now_us, lease)
  redis.call("ZADD", SEEN, now, lease)
  redis.call("PEXPIRE", WAITING, 60000)
  redis.call("PEXPIRE", SEEN, 60000)
  return { "full", redis.call("ZRANK", WAITING, lease) }
end

if algorithm == "response_time" and ARGV[9] == "1" then shun_the_slow(instances) end
for _, it in ipairs(instances) do
  in_flight = in_flight + it.in_flight
  if usable(it) then room = room + math.max(0, open_slots(it) - it.in_flight) end
end
local service_cap = tonumber(fleet[3])
if service_cap then room = math.min(room, service_cap - in_flight) end
if room > 0 and waits_in_front() >= room then return wait_in_line() end
if service_cap and service_cap <= in_flight then return wait_in_line() end

local full = false
for _, priority in ipairs(CLASSES) do
  local class = {}
  for _, it in ipairs(instances) do
    if it.priority == priority and usable(it) then
      if has_room(it) then class[#class + 1] = it else full = true end
    end
  end
  if #class > 0 then
    local best, why = pick(class)
    return take(best, priority .. " priority, " .. why)
  end
end
if full then return wait_in_line() end

-- Panic: nobody is healthy, so try the one that failed least, and say so.
local least_bad
for _, it in ipairs(instances) do
  if not it.draining and not excluded[it.name] and it.in_flight < it.cap then
    if not least_bad or it.errors < least_bad.errors then least_bad = it end
  end
end
if least_bad then return take(least_bad, "panic, no healthy instance") end
return { "none" }
