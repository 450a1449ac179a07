-- Choose an instance of a service and take a lease on it, in one step.
--
-- KEYS     fleet:{service}: algorithm, names (comma-joined, in the order of the YAML), cap of the service
--          cancelled:{turn} · waiting:{service} · seen:{service} · excluded:{service} · decisions · leaving:{service}
-- ARGV     lease id, lease time to live in ms, dice in 0..1, excluded names (comma-joined), how the keys of an
--          instance and of its leases begin, service, turn, whether to wait in line (1 | 0), the channel on which
--          the next in line hears of a slot; a time in ms instead of the clock of Redis (simulations)
-- Returns  {"ok", name, in_flight with this lease, reason} | {"cancelled"} | {"forgotten"} | {"none"} |
--          {"full", calls that wait in front}: the call waits under its lease id, first come, first served
--
-- Health is a filter, weight is a wish, load is pressure: see the table in docs/balancing.md.

local lease, ttl_ms, dice = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local INSTANCE, LEASES, service, turn = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local WAITING, SEEN, EXCLUDED, DECISIONS, LEAVING = KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local WAITER_GONE_MS, DECISIONS_KEPT = 2000, 5000
local CLASSES = { "high", "normal", "low", "standby" }
local SLOW_START_MS, SLOW_START_FLOOR = 10000, 0.1
-- Without calls nothing new is learned: what is known fades, or one slow call would shut an instance out for good.
local FORGIVE_MS = 30000
local SLOW_FACTOR = 3

local function leave_line(id)
  redis.call("ZREM", SEEN, id)
  redis.call("HDEL", EXCLUDED, id)
  return redis.call("ZREM", WAITING, id) == 1
end

if redis.call("EXISTS", KEYS[2]) == 1 then
  -- Its place in line would hold up those behind it.
  leave_line(lease)
  return { "cancelled" }
end

local clock = redis.call("TIME")
local now_us = ARGV[11] ~= "" and tonumber(ARGV[11]) * 1000 or clock[1] * 1000000 + clock[2]
local now = math.floor(now_us / 1000)

local fleet = redis.call("HMGET", KEYS[1], "algorithm", "names", "cap")
if not fleet[1] then return { "forgotten" } end
local algorithm = fleet[1]

local function set_of(names)
  local set = {}
  for name in string.gmatch(names, "[^,]+") do set[name] = true end
  return set
end
local excluded = set_of(ARGV[4])
local instances = {}
for name in string.gmatch(fleet[2], "[^,]+") do
  local key = INSTANCE .. name
  local raw = redis.call("HMGET", key, "weight", "cap", "priority", "draining", "healthy", "ejected_until_ms",
    "recovered_at_ms", "latency_ewma_ms", "error_ratio", "current", "cpu", "memory", "latency_at_ms", "adjustment",
    "cap_limit", "priority_override", "unconfigured", "failing")
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
    unconfigured = raw[17], draining = raw[4] == "1", failing = raw[18],
    healthy = raw[5] ~= "0" and not raw[18],
    ejected = ejected_until > now, half_open = ejected_until > 0 and ejected_until <= now,
    recovered_at = tonumber(raw[7]) or 0, latency = latency, known = known, errors = tonumber(raw[9]) or 0,
    current = tonumber(raw[10]) or 0, cpu = tonumber(raw[11]), memory = tonumber(raw[12]),
    in_flight = redis.call("ZCARD", leases),
  }
end

-- Most of the time nobody waits, and all that keeps the line costs nothing.
local anyone_waits = redis.call("ZCARD", WAITING) > 0

local function in_service(it) return not it.unconfigured and not it.draining and it.healthy and not it.ejected end
-- One that stands by is for when nobody else can be relied on, and never because the others are full or slow.
local relied_on = false
local function spared(it) return relied_on and it.priority == "standby" end
local function usable(it) return in_service(it) and not excluded[it.name] and not spared(it) end
for _, it in ipairs(instances) do
  relied_on = relied_on or it.priority ~= "standby" and usable(it) and not it.half_open
end

-- While fewer calls wait than the quick instances have slots, a slot comes within the time of one quick call: to
-- wait is better than to take an instance that is known to need SLOW_FACTOR times as long.
local function shun_the_slow(all)
  local quickest, quick_slots = {}, 0
  for _, it in ipairs(all) do
    if usable(it) and it.known then quickest[it.priority] = math.min(it.known, quickest[it.priority] or it.known) end
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

-- Slow start: the wanted share grows from a tenth to the whole over ten seconds.
local function effective_weight(it)
  local age = now - it.recovered_at
  if it.recovered_at == 0 or age >= SLOW_START_MS then return it.weight end
  return it.weight * math.max(SLOW_START_FLOOR, age / SLOW_START_MS)
end

local function median_latency(all)
  local seen = {}
  for _, it in ipairs(all) do if it.latency then seen[#seen + 1] = it.latency end end
  table.sort(seen)
  return seen[math.ceil(#seen / 2)] or 1
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
    -- The sum of the weights, which makes a share of each, is the same for all that are compared.
    return (it.in_flight + 1) / (it.cap * effective_weight(it))
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
    redis.call("HSET", it.key, "current", it == best and it.current - total or it.current)
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
  if it.unconfigured or excluded[it.name] then return it.unconfigured and "not configured" or "failed this call" end
  if it.draining then return "draining" end
  if not it.healthy then return it.failing and "failing" or "down" end
  if it.ejected then return "ejected" end
  if it.half_open then return "half-open" end
  if it.shunned then return "slow" end
  if spared(it) then return "stands by" end
  return it.in_flight .. "/" .. it.cap
end

-- Names of those that `fits` lets through and that have a free slot, and how many slots these are.
local function free_slots(fits)
  local names, count = {}, 0
  for _, it in ipairs(instances) do
    local free = fits(it) and open_slots(it) - it.in_flight or 0
    if free > 0 then names[#names + 1], count = it.name, count + free end
  end
  return names, count
end

-- May this waiting call use one of the free slots, or did it fail on all of them before?
local function may_use(id, names)
  local failed_on = set_of(redis.call("HGET", EXCLUDED, id) or "")
  for _, name in ipairs(names) do if not failed_on[name] then return true end end
  return false
end

-- Two slots that were freed at once both called for the same first one; it passes the word on.
local function tell_next_in_line()
  local names = free_slots(in_service)
  if #names == 0 then return end
  for rank = 0, redis.call("ZCARD", WAITING) - 1 do
    local id = redis.call("ZRANGE", WAITING, rank, rank)[1]
    if may_use(id, names) then return redis.call("PUBLISH", ARGV[10], id) end
  end
end

local function take(it, why)
  redis.call("ZADD", it.leases, now + ttl_ms, lease)
  redis.call("PEXPIRE", it.leases, 60000)
  local candidates = {}
  for at, other in ipairs(instances) do candidates[at] = other.name .. " " .. state_of(other) end
  local reason = algorithm .. ": " .. why
  redis.call("XADD", DECISIONS, "MAXLEN", "~", DECISIONS_KEPT, "*", "turn", turn, "service", service,
    "lease", lease, "instance", it.name, "reason", reason, "candidates", table.concat(candidates, ", "))
  it.in_flight = it.in_flight + 1
  if anyone_waits and leave_line(lease) then tell_next_in_line() end
  return { "ok", it.name, it.in_flight, reason }
end

-- First come, first served: do as many calls wait in front as there are free slots? Those that may use none of the
-- slots, because those instances failed them, do not count: to hold the slots for them would serve nobody.
local function must_let_pass(names, count)
  local in_front = anyone_waits and (redis.call("ZRANK", WAITING, lease) or redis.call("ZCARD", WAITING)) or 0
  if in_front < count or redis.call("HLEN", EXCLUDED) == 0 then return in_front >= count end
  local rivals = 0
  for rank = 0, in_front - 1 do
    if may_use(redis.call("ZRANGE", WAITING, rank, rank)[1], names) then rivals = rivals + 1 end
    if rivals >= count then return true end
  end
  return false
end

local function wait_in_line()
  if ARGV[9] == "0" then return { "full", redis.call("ZCARD", WAITING) } end
  redis.call("ZADD", WAITING, "NX", now_us, lease)
  redis.call("ZADD", SEEN, now, lease)
  if ARGV[4] ~= "" then redis.call("HSET", EXCLUDED, lease, ARGV[4]) end
  for _, key in ipairs({ WAITING, SEEN, EXCLUDED }) do redis.call("PEXPIRE", key, 60000) end
  return { "full", redis.call("ZRANK", WAITING, lease) }
end

if algorithm == "response_time" and ARGV[9] == "1" then shun_the_slow(instances) end
-- A waiter shows itself at each look; one that does so no more is gone.
local gone = anyone_waits and redis.call("ZRANGEBYSCORE", SEEN, "-inf", now - WAITER_GONE_MS) or {}
for _, id in ipairs(gone) do leave_line(id) end
local names, count = free_slots(usable)
if count > 0 and must_let_pass(names, count) then return wait_in_line() end

-- The cap of the service: calls on instances that a reload removed count until they end.
local service_slots = tonumber(fleet[3])
if service_slots then
  for _, it in ipairs(instances) do service_slots = service_slots - it.in_flight end
  for _, name in ipairs(redis.call("SMEMBERS", LEAVING)) do
    service_slots = service_slots - redis.call("ZCOUNT", LEASES .. name, "(" .. now, "+inf")
  end
  if service_slots <= 0 then return wait_in_line() end
  -- What it leaves may be used on any instance, also by those in front who may not use the ones that this call may.
  if count > 0 and must_let_pass(free_slots(in_service), service_slots) then return wait_in_line() end
end

local full = false
for _, priority in ipairs(CLASSES) do
  local class = {}
  for _, it in ipairs(instances) do
    if it.priority == priority and usable(it) then
      if it.in_flight < open_slots(it) then class[#class + 1] = it else full = true end
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
  local open = not it.unconfigured and not it.draining and not excluded[it.name] and it.in_flight < it.cap
  if open and (not least_bad or it.errors < least_bad.errors) then least_bad = it end
end
if least_bad then return take(least_bad, "panic, no healthy instance") end
return { "none" }
