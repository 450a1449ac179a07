-- Heartbeat of a worker, by the clock of Redis.
--
-- keys     workers
-- args     worker: its id · lost_after_ms · grace_ms: so much later it is missed
-- Returns  the queues whose workers are all lost, comma-joined as in their ids

redis.call("ZADD", keys.workers, now + tonumber(args.grace_ms), args.worker)
local served, missed = {}, {}
local all = redis.call("ZRANGE", keys.workers, 0, -1, "WITHSCORES")
for at = 1, #all, 2 do
  local seen = tonumber(all[at + 1])
  for queue in string.gmatch(string.match(all[at], ":([^:]*):[^:]*$") or "", "[^,]+") do
    if seen > now - tonumber(args.lost_after_ms) then served[queue] = true elseif seen ~= 0 then missed[queue] = true end
  end
end
local orphaned = {}
for queue in pairs(missed) do if not served[queue] then orphaned[#orphaned + 1] = queue end end
return orphaned
