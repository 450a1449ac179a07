-- Part of the pick (pick_candidates.lua): the line of those that wait, the lease, and the decision.

-- What `dispatcher why` tells: every instance and why it could, or could not, have the call.
local function state_of(it)
  if it.unconfigured or excluded[it.name] then return it.unconfigured and "not configured" or "failed this call" end
  if it.draining then return "draining" end
  if not it.healthy then return it.failing and "failing" or "down" end
  if it.ejected then return "ejected" end
  if it.half_open then return "half-open" end
  if it.shunned or it.held_back then return "slow" end
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
  local quickest = quickest_first(function(other) return other ~= it and is_quick_and_free(other) end)[it.priority]
  return { "ok", it.name, it.in_flight, reason, quickest and tostring(quickest) or "",
    mode == "offer" and offer_probe() or "" }
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

if mode == "spare" or mode == "offer" then
  find_the_slow()
  spare_the_caller()
end
local function may_take(it) return usable(it) and not it.held_back end
if algorithm == "response_time" and ARGV[9] == "1" then shun_the_slow(instances) end
-- A waiter shows itself at each look; one that does so no more is gone.
local gone = anyone_waits and redis.call("ZRANGEBYSCORE", SEEN, "-inf", now - WAITER_GONE_MS) or {}
for _, id in ipairs(gone) do leave_line(id) end
local names, count = free_slots(may_take)
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
    if it.priority == priority and may_take(it) then
      if it.in_flight < open_slots(it) then class[#class + 1] = it else full = true end
    end
  end
  if #class > 0 then
    local best, why = pick(class)
    return take(best, mode == "probe" and "probe, unheard" or priority .. " priority, " .. why)
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
