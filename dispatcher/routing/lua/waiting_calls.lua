-- Waiting line of a service: calls in the order of waiting_order.lua, and the instances that failed them already.
--
-- keys  waiting, excluded
-- args  freed_channel: on which a waiting call is notified of a free slot

local function set_of(names)
  local set = {}
  for name in string.gmatch(names, "[^,]+") do set[name] = true end
  return set
end

local function waiting_at(rank)
  return redis.call("ZRANGE", keys.waiting, rank, rank)[1]
end

-- May this waiting call use one of these instances, or did it fail on all of them before?
local function may_use(id, names)
  local failed_on = set_of(redis.call("HGET", keys.excluded, id) or "")
  for _, name in ipairs(names) do if not failed_on[name] then return true end end
  return false
end

-- Notify the first call that may use a free slot of these instances; `with_head`: and the first in line, since what
-- becomes free below the cap of the service may be used on any instance.
local function notify_first(names, with_head)
  if #names == 0 then return end
  for rank = 0, redis.call("ZCARD", keys.waiting) - 1 do
    local id = waiting_at(rank)
    local is_served = may_use(id, names)
    if is_served or with_head and rank == 0 then redis.call("PUBLISH", args.freed_channel, id) end
    if is_served then return end
  end
end

