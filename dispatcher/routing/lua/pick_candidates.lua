-- Choose an instance of a service and take a lease on it, in one step. The script is these files joined, in this
-- order: pick_candidates.lua, pick_slow.lua, pick_algorithm.lua, pick_lease.lua.
--
-- KEYS     fleet:{service}: algorithm, names (comma-joined, in the order of the YAML), cap of the service
--          cancelled:{turn} · waiting:{service} · seen:{service} · excluded:{service} · decisions · leaving:{service}
-- ARGV     lease id, lease time to live in ms, dice in 0..1, excluded names (comma-joined), how the keys of an
--          instance and of its leases begin, service, turn, whether to wait in line (1 | 0), the channel on which
--          the next in line hears of a slot; a time in ms instead of the clock of Redis (simulations); the mode
-- Modes    "": one call at a time tries an instance that is slow (response_time) or half-open
--          spare: no call does while an instance of the same priority that is quick and sound has a free slot
--          offer: the same, and the caller can make a probe beside its call: it is told when one is due
--          probe: this is that probe
-- Returns  {"ok", name, in_flight with this lease, reason, first result in ms of the quickest other instance that
--          is free, instance to probe} (the last two "" where there is none) |
--          {"cancelled"} | {"forgotten"} | {"none"} |
--          {"full", calls that wait in front}: the call waits under its lease id, first come, first served
--
-- Health is a filter, weight is a wish, load is pressure: see the table in docs/balancing.md.

local lease, ttl_ms, dice = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local INSTANCE, LEASES, service, turn, mode = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[12]
local WAITING, SEEN, EXCLUDED, DECISIONS, LEAVING = KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local WAITER_GONE_MS, DECISIONS_KEPT = 2000, 5000
local CLASSES = { "high", "normal", "low", "standby" }
local SLOW_START_MS, SLOW_START_FLOOR = 10000, 0.1
-- Without calls nothing new is learned: what is known fades, or one slow call would shut an instance out for good.
local FORGIVE_MS = 30000

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
    "cap_limit", "priority_override", "unconfigured", "failing", "first_ms",
    "slow_since_ms", "probed_at_ms", "unprobed_calls")
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
    first = tonumber(raw[19]), slow_since = tonumber(raw[20]), probed_at = tonumber(raw[21]) or 0,
    unprobed = tonumber(raw[22]) or 0, in_flight = redis.call("ZCARD", leases),
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

