-- Instances of a pick (pick_candidates.lua) that are slow or half-open, and how they are probed.
--
-- Two kinds of slow. By its first result, what a user waits for: such an instance is left alone while a quick one
-- is free, and probed beside other calls (docs/adr/0024). By its whole calls (response_time only): it keeps its slots
-- occupied for longer.

-- Times of the quickest instance of each priority to its first result, of those that `fits` lets through.
local function quickest_first(fits)
  local quickest = {}
  for _, it in ipairs(instances) do
    if it.first and fits(it) then quickest[it.priority] = math.min(it.first, quickest[it.priority] or it.first) end
  end
  return quickest
end

local function find_the_slow()
  local quickest = quickest_first(function(it) return in_service(it) and not it.half_open end)
  for _, it in ipairs(instances) do
    local best = quickest[it.priority]
    it.slow = best and it.first and in_service(it) and it.first > SLOW_FIRST_FACTOR * best
      and it.first > best + SLOW_FIRST_AND_MS
    if it.slow and not it.slow_since then
      it.slow_since, it.unprobed = now, 0
      redis.call("HSET", it.key, "slow_since_ms", now, "unprobed_calls", 0)
    elseif it.slow_since and not it.slow then
      redis.call("HDEL", it.key, "slow_since_ms", "unprobed_calls")
    end
  end
end

local function is_quick_and_free(it)
  return usable(it) and not it.half_open and not it.slow and it.in_flight < it.cap
end

-- No call waits for an instance that is slow or half-open while another one of its priority can take it.
local function spare_the_caller()
  local free = {}
  for _, it in ipairs(instances) do free[it.priority] = free[it.priority] or is_quick_and_free(it) end
  for _, it in ipairs(instances) do it.held_back = (it.slow or it.half_open) and free[it.priority] end
end

local function is_probe_due(it)
  if not it.held_back or not in_service(it) or it.in_flight > 0 then return false end
  if it.half_open then return now - it.probed_at >= HALF_OPEN_PROBE_INTERVAL_MS end
  local rested = now - math.max(it.probed_at, it.slow_since)
  local every = math.min(PROBE_INTERVAL_MAX_MS, math.max(PROBE_AFTER_MS, it.probed_at - it.slow_since))
  return rested >= every or rested >= PROBE_AFTER_MS and it.unprobed >= PROBE_CALLS
end

-- The instance that the caller is to probe beside its call, of several that which waits longest; "" for none.
local function offer_probe()
  local due
  for _, it in ipairs(instances) do
    if it.slow then
      it.unprobed = it.unprobed + 1
      redis.call("HSET", it.key, "unprobed_calls", it.unprobed)
    end
    if is_probe_due(it) and (not due or it.probed_at < due.probed_at) then due = it end
  end
  if not due then return "" end
  redis.call("HSET", due.key, "probed_at_ms", now, "unprobed_calls", 0)
  return due.name
end

-- While fewer calls wait than the quick instances have slots, a slot comes within the time of one quick call: to
-- wait is better than to take an instance that is known to need SLOW_CALL_FACTOR times as long.
local function shun_the_slow(all)
  local quickest, quick_slots = {}, 0
  for _, it in ipairs(all) do
    if usable(it) and it.known then quickest[it.priority] = math.min(it.known, quickest[it.priority] or it.known) end
  end
  local function slow(it)
    local best = quickest[it.priority]
    return best and it.latency and it.latency > SLOW_CALL_FACTOR * best
  end
  for _, it in ipairs(all) do if usable(it) and not slow(it) then quick_slots = quick_slots + it.cap end end
  if redis.call("ZCARD", keys.waiting) >= quick_slots then return end
  for _, it in ipairs(all) do it.shunned = slow(it) end
end

-- One call at a time tries an instance that is half-open or slow; everything else is used up to its cap.
local function open_slots(it)
  return (it.half_open or it.shunned) and math.min(1, it.cap) or it.cap
end

