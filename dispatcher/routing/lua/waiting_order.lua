-- Order of the waiting line, the one place of it: the call with the lowest score is first.
--
-- keys  rounds: of the service, while calls wait: the round of the line, the next one of each sharer, and of each call
--       its round and sharer (leave_line.lua ends that)
-- args  waiting_class: 0 for the first class to 3 for the last; every call of a class is before those of the next
--       sharer: of whom there may be many calls in line, the device; "" where the call takes part in no shares
--       due_ms: when it is wanted; "" when it arrives
--
-- Equal shares (start-time fair queueing): each round has one call of each sharer. The line is in the round of the
-- call that was served last, and a sharer that comes back begins there. Within a round the call that is due first is
-- first, which is first come, first served for calls that are due when they arrive.

local function round_of_line() return tonumber(redis.call("HGET", keys.rounds, "line")) or 0 end

local function waiting_round()
  if args.sharer == "" then return round_of_line() end
  return math.max(round_of_line(), tonumber(redis.call("HGET", keys.rounds, "next:" .. args.sharer)) or 0)
end

local function waiting_score(round)
  local due_us = tonumber(args.due_ms) and tonumber(args.due_ms) * 1000 or now_us
  return tonumber(args.waiting_class) * WAITING_CLASS_STEP + round * WAITING_ROUND_STEP + due_us
end

-- Count a call that begins to wait; with the first one in line all shares begin anew.
local function join_rounds(id, round)
  redis.call("HSET", keys.rounds, "call:" .. id, round .. " " .. args.sharer)
  if args.sharer ~= "" then redis.call("HSET", keys.rounds, "next:" .. args.sharer, round + 1) end
end

-- Count a call that waited and is served.
local function serve_round(id)
  redis.call("HSET", keys.rounds, "line", math.max((place_of(id)), round_of_line()))
end

