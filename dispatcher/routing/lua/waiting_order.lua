-- Order of the waiting line, the one place of it: the call with the lowest score is first.
--
-- args  waiting_class: 0 for the first class to 3 for the last; every call of a class is before those of the next
--       share_debt_ms: so much later is a call in line whose device had more than its share
--       due_ms: when it is wanted; "" when it arrives
--
-- Without any of them the score is the time of arrival: first come, first served.

local function waiting_score()
  local due_us = tonumber(args.due_ms) and tonumber(args.due_ms) * 1000 or now_us
  return tonumber(args.waiting_class) * WAITING_CLASS_STEP + due_us + tonumber(args.share_debt_ms) * 1000
end

