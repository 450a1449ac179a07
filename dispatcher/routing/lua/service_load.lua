-- Load of services at this moment, for the prediction of first audio (dispatcher/routing/rules/prediction.py).
--
-- keys  workers; then for each service fleet:{service}, waiting:{service}, rounds:{service} and its queue
-- args  now_ms · lost_after_ms; then for each service how the keys of its instances and of their leases begin, in how
--       many ms the first call of a turn is due there, and the instances that get no call (comma-joined, with commas
--       around)
-- Returns  for each service {slots of instances in service, leases on them, calls in line before the first one of a
--          turn, tasks in the queue, age in ms of the oldest of these, usual time in ms of a call, to its first result
--          ("" before the first call), worker processes that read the queue}

-- The mean of the last calls: a peak EWMA is for comparing instances, and says too much of a line's pace.
local LAST_CALLS = 10

local function mean_of(response_times)
  local sum, count = 0, 0
  for at = math.max(1, #response_times + 1 - LAST_CALLS * RESPONSE_TIME_WIDTH), #response_times, RESPONSE_TIME_WIDTH do
    sum, count = sum + tonumber(string.sub(response_times, at, at + RESPONSE_TIME_WIDTH - 1)), count + 1
  end
  return count > 0 and sum / count
end

-- Whether it takes calls, its slots, and the times that it usually takes.
local function instance_at(key)
  local raw = redis.call("HMGET", key, "cap", "cap_limit", "unconfigured", "draining", "healthy", "failing",
    "ejected_until_ms", "priority_override", "priority", "response_times", "first_ms",
    "cap_held")
  local serves = not raw[3] and raw[4] ~= "1" and raw[5] ~= "0" and not raw[6] and (tonumber(raw[7]) or 0) <= now
  local cap = tonumber(raw[1]) or 1
  return {
    serves = serves, slots = held_value(raw[12]) or math.min(cap, tonumber(raw[2]) or cap),
    is_standby = (raw[8] or raw[9]) == "standby",
    hold = mean_of(raw[10] or ""), first = tonumber(raw[11]),
  }
end

local function instances_of(names, prefix, leases_prefix, barred)
  local found, relied_on = {}, false
  for name in string.gmatch(names, "[^,]+") do
    local it = instance_at(prefix .. name)
    it.in_flight = redis.call("ZCOUNT", leases_prefix .. name, "(" .. now, "+inf")
    if it.serves and not string.find(barred, "," .. name .. ",", 1, true) then
      found[#found + 1] = it
      relied_on = relied_on or not it.is_standby
    end
  end
  return found, relied_on
end

-- Mean over the slots of the instances for which the time is known.
local function mean_over_slots(instances, name)
  local sum, slots = 0, 0
  for _, it in ipairs(instances) do
    if it[name] then sum, slots = sum + it[name] * it.slots, slots + it.slots end
  end
  return slots > 0 and tostring(sum / slots) or ""
end

local function oldest_age_ms(queue)
  local message = redis.call("LINDEX", queue, -1)
  local sent_at = message and tonumber(string.match(message, '"sent_at_s": ([%d.]+)'))
  return sent_at and math.max(0, math.floor(now - sent_at * 1000)) or 0
end

-- Worker processes that show life, by queue; their ids name their queues. The queue of a worker that was lost is read
-- by those of the other services for as long as it is remembered (beat.lua); that of one that left is not.
local function workers_by_queue()
  local found, missed, others = {}, {}, 0
  local all = redis.call("ZRANGE", keys.workers, 0, -1, "WITHSCORES")
  for at = 1, #all, 2 do
    local seen = tonumber(all[at + 1])
    for queue in string.gmatch(string.match(all[at], ":([^:]*):[^:]*$") or "", "[^,]+") do
      if seen > now - tonumber(args.lost_after_ms) then
        found[queue] = (found[queue] or 0) + 1
      elseif seen ~= 0 then
        missed[queue] = true
      end
    end
  end
  for at = 5, #KEYS, 4 do others = others + (found[KEYS[at]] or 0) end
  for queue in pairs(missed) do found[queue] = found[queue] or others end
  return found
end

local workers = workers_by_queue()

-- Calls in line that a device without one there comes behind (waiting_order.lua): later sentences are not due yet, and
-- more calls of one device are of later rounds.
local function in_front(waiting, rounds, due_ms)
  local round = tonumber(redis.call("HGET", rounds, "line")) or 0
  return redis.call("ZCOUNT", waiting, "-inf", round * WAITING_ROUND_STEP + now_us + due_ms * 1000)
end

local function load_of(at)
  local fleet = redis.call("HMGET", KEYS[at], "names", "cap")
  local queue, rest = KEYS[at + 3], FIRST_REST + at - 2
  local all, relied_on = instances_of(fleet[1] or "", ARGV[rest], ARGV[rest + 1], ARGV[rest + 3])
  local used, slots, in_flight = {}, 0, 0
  for _, it in ipairs(all) do
    if not (relied_on and it.is_standby) then
      used[#used + 1], slots, in_flight = it, slots + it.slots, in_flight + it.in_flight
    end
  end
  return { math.min(slots, tonumber(fleet[2]) or slots), in_flight,
    in_front(KEYS[at + 1], KEYS[at + 2], tonumber(ARGV[rest + 2])), redis.call("LLEN", queue), oldest_age_ms(queue),
    mean_over_slots(used, "hold"), mean_over_slots(used, "first"), workers[queue] or 0 }
end

local loads = {}
for at = 2, #KEYS, 4 do loads[#loads + 1] = load_of(at) end
return loads
