-- Write what is remembered of a device's users, unless it was forgotten meanwhile.
--
-- keys     memory: of the device · devices_changed
-- args     device_id · text · exchanges: how many are in it now · memory_ttl_s
-- Returns  1 where it was written, else 0

local unread = tonumber(redis.call("HGET", keys.memory, "unread") or "0")
if unread < tonumber(args.exchanges) then return 0 end
redis.call("HSET", keys.memory, "text", args.text, "unread", unread - tonumber(args.exchanges))
redis.call("EXPIRE", keys.memory, args.memory_ttl_s)
redis.call("SADD", keys.devices_changed, args.device_id)
return 1
