-- End of a call's place in line (waiting_order.lua).
--
-- keys  waiting, seen, excluded, rounds

local function leave_line(id)
  redis.call("ZREM", keys.seen, id)
  redis.call("HDEL", keys.excluded, id)
  return redis.call("ZREM", keys.waiting, id) == 1
end

-- Round of a call in line, and its sharer.
local function place_of(id)
  local round, sharer = string.match(redis.call("HGET", keys.rounds, "call:" .. id) or "", "^(%d+) ?(.*)$")
  redis.call("HDEL", keys.rounds, "call:" .. id)
  return tonumber(round) or 0, sharer or ""
end

-- End the place of a call that is not served: its sharer has its share back, unless another call of it came since.
local function give_up_place(id)
  if not leave_line(id) then return end
  local round, sharer = place_of(id)
  local next_round = sharer ~= "" and tonumber(redis.call("HGET", keys.rounds, "next:" .. sharer))
  if next_round == round + 1 then redis.call("HSET", keys.rounds, "next:" .. sharer, round) end
end

