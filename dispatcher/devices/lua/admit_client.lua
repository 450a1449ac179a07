-- Make the client that waits the one that a device is.
--
-- keys     device · devices_changed
-- args     device_id
-- Returns  1, or 0 where none waits

if redis.call("HEXISTS", keys.device, "waiting_since_ms") == 0 then return 0 end
local client = redis.call("HGET", keys.device, "waiting_client")
if client and client ~= "" then
  redis.call("HSET", keys.device, "client", client)
else
  -- It names none: the next one is the device, as at the first time.
  redis.call("HDEL", keys.device, "client")
end
redis.call("HDEL", keys.device, "waiting_client", "waiting_since_ms")
redis.call("SADD", keys.devices_changed, args.device_id)
return 1
