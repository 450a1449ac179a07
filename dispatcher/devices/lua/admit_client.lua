-- Make the client that waits the one that a device is.
--
-- KEYS  device:{device}, devices-changed
-- ARGV  device id
-- Returns 1, or 0 where none waits

if redis.call("HEXISTS", KEYS[1], "waiting_since_ms") == 0 then return 0 end
local client = redis.call("HGET", KEYS[1], "waiting_client")
if client and client ~= "" then
  redis.call("HSET", KEYS[1], "client", client)
else
  -- It names none: whoever comes next is the device, as at the first time.
  redis.call("HDEL", KEYS[1], "client")
end
redis.call("HDEL", KEYS[1], "waiting_client", "waiting_since_ms")
redis.call("SADD", KEYS[2], ARGV[1])
return 1
