-- Waiting line of a pick (pick_candidates.lua): whether a call has to wait, and its place.

-- Names of those that `fits` lets through and that have a free slot, and how many slots these are.
local function free_slots(fits)
  local names, count = {}, 0
  for _, it in ipairs(instances) do
    local free = fits(it) and open_slots(it) - it.in_flight or 0
    if free > 0 then names[#names + 1], count = it.name, count + free end
  end
  return names, count
end

-- Do as many calls wait in front as there are free slots? Those that may use none of the slots, because those
-- instances failed them, do not count: to hold the slots for them would serve nobody.
local function must_let_pass(names, count)
  if not anyone_waits then return count <= 0 end
  local in_front = redis.call("ZRANK", keys.waiting, lease)
    or redis.call("ZCOUNT", keys.waiting, "-inf", waiting_score(waiting_round()))
  if in_front < count or redis.call("HLEN", keys.excluded) == 0 then return in_front >= count end
  local rivals = 0
  for rank = 0, in_front - 1 do
    if may_use(waiting_at(rank), names) then rivals = rivals + 1 end
    if rivals >= count then return true end
  end
  return false
end

local function joined(names)
  local list = {}
  for name in pairs(names) do list[#list + 1] = name end
  return table.concat(list, ",")
end

local function wait_in_line()
  if args.may_wait == "0" then return { "full", redis.call("ZCARD", keys.waiting) } end
  if not redis.call("ZSCORE", keys.waiting, lease) then
    if redis.call("ZCARD", keys.waiting) == 0 then redis.call("DEL", keys.rounds) end
    local round = waiting_round()
    redis.call("ZADD", keys.waiting, waiting_score(round), lease)
    join_rounds(lease, round)
  end
  redis.call("ZADD", keys.seen, now, lease)
  -- A slot that is free but for a budget is no more its own than one of an instance that failed it.
  for name in pairs(full_budget) do excluded[name] = true end
  if next(excluded) then
    redis.call("HSET", keys.excluded, lease, joined(excluded))
  elseif #budgets > 0 then
    redis.call("HDEL", keys.excluded, lease)
  end
  for _, key in ipairs({ keys.waiting, keys.seen, keys.excluded, keys.rounds }) do
    redis.call("PEXPIRE", key, SLOT_KEYS_TTL_MS)
  end
  return { "full", redis.call("ZRANK", keys.waiting, lease) }
end

