-- Lease of a pick (pick_candidates.lua): priorities in order, panic, and the decision that is recorded.

-- What `dispatcher why` shows: every instance and why it could, or could not, take the call.
local function state_of(it)
  if over_budget[it.name] then return "over budget " .. over_budget[it.name] end
  if it.unconfigured or excluded[it.name] then return it.unconfigured and "not configured" or FAILED_THIS_CALL end
  if it.draining then return "draining" end
  if not it.healthy then return it.failing and "failing" or "down" end
  if it.ejected then return "ejected" end
  if it.half_open then return "half-open" end
  if it.shunned or it.held_back then return "slow" end
  if spared(it) then return "stands by" end
  if full_budget[it.name] then return "no room in budget " .. full_budget[it.name] end
  return it.in_flight .. "/" .. it.cap
end

local least_bad

local function take(it, why)
  redis.call("ZADD", it.leases, now + tonumber(args.lease_ttl_ms), lease)
  redis.call("PEXPIRE", it.leases, SLOT_KEYS_TTL_MS)
  local candidates = {}
  for at, other in ipairs(instances) do candidates[at] = other.name .. " " .. state_of(other) end
  local is_spare = tonumber(args.waiting_class) == SPARE_CLASS
  local reason = algorithm .. ": " .. why .. (is_spare and ", " .. SPARE_REASON or "")
  redis.call("XADD", keys.decisions, "MAXLEN", "~", DECISIONS_MAXLEN, "*", "turn", args.turn_id,
    "service", args.service, "lease", lease, "instance", it.name, "reason", reason,
    "candidates", table.concat(candidates, ", "))
  it.in_flight = it.in_flight + 1
  hold_budgets(it.name)
  -- A call that is refused for want of a spare slot (spare_slots.py) reads no prompt there.
  local is_refused = is_spare and (it == least_bad or it.in_flight > math.max(1, it.whole_cap * SPARE_SLOTS_RATIO))
  if has_dialogue and not is_refused then
    redis.call("SET", keys.affinity, string.format("%s %d", it.name, now), "PX", AFFINITY_FADE_MS)
  end
  -- Two slots that were freed at once both notified the same first call; it passes the other one on.
  if anyone_waits and leave_line(lease) then
    serve_round(lease)
    notify_first((free_slots(in_service)))
  end
  local quickest = quickest_first(function(other) return other ~= it and is_quick_and_free(other) end)[it.priority]
  return { "ok", it.name, it.in_flight, reason, quickest and tostring(quickest) or "",
    mode == "offer" and offer_probe() or "" }
end

if mode == "spare" or mode == "offer" or mode == "relief" then
  find_the_slow()
  spare_the_caller()
end
local function may_take(it) return usable(it) and not it.held_back end
if algorithm == "response_time" and args.may_wait == "1" then shun_the_slow(instances) end
-- A waiting call polls; one that does so no more has no process.
local gone = anyone_waits and redis.call("ZRANGEBYSCORE", keys.seen, "-inf", now - WAITER_TTL_MS) or {}
for _, id in ipairs(gone) do give_up_place(id) end
local names, count = free_slots(may_take)
if count > 0 and must_let_pass(names, count) then return wait_in_line() end

-- The cap of the service: calls on instances that a reload removed count until they end.
local service_slots = tonumber(fleet[3])
if service_slots then
  for _, it in ipairs(instances) do service_slots = service_slots - it.in_flight end
  for _, name in ipairs(redis.call("SMEMBERS", keys.leaving)) do
    service_slots = service_slots - redis.call("ZCOUNT", args.leases_prefix .. name, "(" .. now, "+inf")
  end
  if service_slots <= 0 then return wait_in_line() end
  -- What it leaves may be used on any instance, also by those in front who may not use the ones that this call may.
  if count > 0 and must_let_pass(free_slots(in_service), service_slots) then return wait_in_line() end
end

local full = false
local function take_first(fits, note)
  for _, priority in ipairs(PRIORITIES) do
    local class = {}
    for _, it in ipairs(instances) do
      if it.priority == priority and may_take(it) and fits(it) then
        if it.in_flight < open_slots(it) then class[#class + 1] = it else full = true end
      end
    end
    if #class > 0 then
      local best, why = pick(class)
      return take(best, mode == "probe" and PROBE_REASON or priority .. " priority, " .. note .. why)
    end
  end
end
local _, near = next(near_budget)
local taken = near and take_first(function(it) return not near_budget[it.name] end, "budget " .. near .. ", ")
  or take_first(usable, "")
if taken then return taken end
if full then return wait_in_line() end

-- Panic: no instance is healthy, so try the one that failed least.
for _, it in ipairs(instances) do
  local open = not it.unconfigured and not it.draining and not excluded[it.name] and it.in_flight < it.cap
  if open and (not least_bad or it.errors < least_bad.errors) then least_bad = it end
end
if least_bad then return take(least_bad, "panic, no healthy instance") end
return spent_budget and { "spent", spent_budget } or { "none" }
