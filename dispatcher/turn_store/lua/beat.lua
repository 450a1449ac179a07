-- Show that a worker lives, by the clock of Redis.
--
-- KEYS     workers
-- ARGV     its id, after how many ms a worker is lost
-- Returns  the queues whose workers are all lost, comma-joined as in their ids

local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call("ZADD", KEYS[1], now, ARGV[1])
local served, missed = {}, {}
local all = redis.call("ZRANGE", KEYS[1], 0, -1, "WITHSCORES")
for at = 1, #all, 2 do
  local seen = tonumber(all[at + 1])
  for queue in string.gmatch(string.match(all[at], ":([^:]*):[^:]*$") or "", "[^,]+") do
    if seen > now - tonumber(ARGV[2]) then served[queue] = true elseif seen > 0 then missed[queue] = true end
  end
end
local orphaned = {}
for queue in pairs(missed) do if not served[queue] then orphaned[#orphaned + 1] = queue end end
return orphaned
