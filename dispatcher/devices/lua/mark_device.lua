-- Set or clear a field of a device for an operator; from then on it is a known device.
--
-- KEYS  device:{device}, devices, strangers, devices-changed
-- ARGV  device id, most devices, how activation keys begin, field, value ("" clears it)
-- Returns 1, or 0 where the registry is full

local id, field, value = ARGV[1], ARGV[4], ARGV[5]
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if not redis.call("ZSCORE", KEYS[2], id) then
  if redis.call("ZCARD", KEYS[2]) >= tonumber(ARGV[2]) then return 0 end
  redis.call("ZADD", KEYS[2], now, id)
  redis.call("ZREM", KEYS[3], id)
end
redis.call("HSETNX", KEYS[1], "first_seen_ms", now)
if value == "" then redis.call("HDEL", KEYS[1], field) else redis.call("HSET", KEYS[1], field, value) end
if field == "activated" then
  local code = redis.call("HGET", KEYS[1], "code")
  if code then redis.call("DEL", ARGV[3] .. code) end
  redis.call("HDEL", KEYS[1], "code")
end
redis.call("PERSIST", KEYS[1])
redis.call("SADD", KEYS[4], id)
return 1
