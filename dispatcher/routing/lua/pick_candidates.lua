-- Choice of an instance of a service and the lease on it, in one step. The script is these fragments joined:
-- call_clock, held_value, waiting_calls, leave_line, waiting_order, pick_budgets, pick_candidates, pick_slow,
-- pick_algorithms, pick_queue, pick_lease.
--
-- keys     fleet: algorithm, names (comma-joined, in the order of the YAML), cap of the service
--          cancelled: of the turn · waiting, seen, excluded, rounds: of the service · decisions · leaving · affinity: of the dialogue
-- args     lease_id · lease_ttl_ms · dice: 0..1 · excluded: names (comma-joined) · instance_prefix and leases_prefix: how
--          the keys of an instance and of its leases begin · service · turn_id · may_wait: 1 | 0 · freed_channel · now_ms
--          · mode · waiting_class, sharer, due_ms · dialogue: "" where the call has none
-- Modes    "": one call at a time tries an instance that is slow (response_time) or half-open
--          spare: no call does while an instance of the same priority that is quick and healthy has a free slot
--          offer: the same, and the caller can make a probe beside its call: it is returned when one is due
--          probe: this is that probe
--          relief: as spare, and instances that stand by may take it as well
-- Returns  {"ok", name, in_flight with this lease, reason, first result in ms of the quickest other instance that
--          is free, instance to probe} (the last two "" where there is none) |
--          {"cancelled"} | {"forgotten"} | {"none"} | {"spent", budget}: no instance is left but those over it |
--          {"full", calls that wait in front}: the call waits under its lease id
--
-- Health is a filter, weight is a wish, load is pressure: see the table in docs/balancing.md.

local lease, mode, dice = args.lease_id, args.mode, tonumber(args.dice)
local has_dialogue = args.dialogue ~= "" and mode ~= "probe"

if redis.call("EXISTS", keys.cancelled) == 1 then
  -- Its place in line would hold up those behind it.
  give_up_place(lease)
  return { "cancelled" }
end

local fleet = redis.call("HMGET", keys.fleet, "algorithm", "names", "cap")
if not fleet[1] then return { "forgotten" } end
local algorithm = fleet[1]
local excluded = set_of(args.excluded)
for name in pairs(over_budget) do excluded[name] = true end

local instances = {}
for name in string.gmatch(fleet[2], "[^,]+") do
  local key = args.instance_prefix .. name
  local raw = redis.call("HMGET", key, "weight", "cap", "priority", "draining", "healthy", "ejected_until_ms",
    "recovered_at_ms", "latency_ewma_ms", "error_ratio", "current", "cpu", "memory", "latency_at_ms", "adjustment",
    "cap_limit", "priority_override", "unconfigured", "failing", "first_ms",
    "slow_since_ms", "probed_at_ms", "unprobed_calls", "cached_ratio", "calls",
    "weight_held", "cap_held")
  local leases = args.leases_prefix .. name
  redis.call("ZREMRANGEBYSCORE", leases, "-inf", now)
  local ejected_until = tonumber(raw[6]) or 0
  local latency, idle_ms = tonumber(raw[8]), math.max(0, now - (tonumber(raw[13]) or now))
  local known = latency
  if latency then latency = latency * math.exp(-idle_ms / LATENCY_FORGIVE_MS) end
  -- What the control loop learned stands beside what the operator configured, and never replaces it; what an operator
  -- holds stands over both.
  local held_cap = held_value(raw[26])
  local cap, in_flight = held_cap or tonumber(raw[2]) or 1, redis.call("ZCARD", leases)
  instances[#instances + 1] = {
    name = name, key = key, leases = leases,
    weight = held_value(raw[25]) or (tonumber(raw[1]) or 1) * (tonumber(raw[14]) or 1),
    whole_cap = cap,
    -- Without room in a budget it has no free slot for this call, until another one ends.
    cap = full_budget[name] and in_flight or held_cap or math.min(cap, tonumber(raw[15]) or cap),
    priority = raw[16] or raw[3] or "normal",
    unconfigured = raw[17], draining = raw[4] == "1", failing = raw[18],
    healthy = raw[5] ~= "0" and not raw[18],
    ejected = ejected_until > now, half_open = ejected_until > 0 and ejected_until <= now,
    recovered_at = tonumber(raw[7]) or 0, latency = latency, known = known, errors = tonumber(raw[9]) or 0,
    current = tonumber(raw[10]) or 0, cpu = tonumber(raw[11]), memory = tonumber(raw[12]),
    first = tonumber(raw[19]), slow_since = tonumber(raw[20]), probed_at = tonumber(raw[21]) or 0,
    unprobed = tonumber(raw[22]) or 0, in_flight = in_flight,
    is_cold = (tonumber(raw[23]) or 1) < WARM_INSTANCE_RATIO and (tonumber(raw[24]) or 0) < COLD_START_CALLS,
  }
end

-- An instance that has only read prompts from their beginning so far is no slower than one that knows its prompts:
-- beside such a one it counts as never seen.
local is_any_warm = false
for _, it in ipairs(instances) do is_any_warm = is_any_warm or it.latency and not it.is_cold end
for _, it in ipairs(instances) do
  if is_any_warm and it.is_cold then it.latency, it.known, it.first = nil, nil, nil end
end

-- Most of the time no call waits, and all that keeps the line costs nothing.
local anyone_waits = redis.call("ZCARD", keys.waiting) > 0

local function in_service(it) return not it.unconfigured and not it.draining and it.healthy and not it.ejected end
-- A standby instance is for when no other can be relied on, and only in overload because the others are full.
local relied_on = false
local function spared(it) return relied_on and it.priority == "standby" and mode ~= "relief" end
local function usable(it) return in_service(it) and not excluded[it.name] and not spared(it) end
for _, it in ipairs(instances) do
  relied_on = relied_on or it.priority ~= "standby" and usable(it) and not it.half_open
end

