-- Set or clear a field of a device for an operator; from then on it is a known device.
--
-- keys     device · devices · strangers · devices_changed
-- args     device_id · devices_kept: at most · activation_prefix: how activation keys begin · field · value: "" clears it
-- Returns  1, or 0 where the registry is full

local id, field, value = args.device_id, args.field, args.value
if not redis.call("ZSCORE", keys.devices, id) then
  if redis.call("ZCARD", keys.devices) >= tonumber(args.devices_kept) then return 0 end
  redis.call("ZADD", keys.devices, now, id)
  redis.call("ZREM", keys.strangers, id)
end
redis.call("HSETNX", keys.device, "first_seen_ms", now)
if value == "" then redis.call("HDEL", keys.device, field) else redis.call("HSET", keys.device, field, value) end
if field == "activated" then
  local code = redis.call("HGET", keys.device, "code")
  if code then redis.call("DEL", args.activation_prefix .. code) end
  redis.call("HDEL", keys.device, "code")
end
redis.call("PERSIST", keys.device)
redis.call("SADD", keys.devices_changed, id)
return 1
