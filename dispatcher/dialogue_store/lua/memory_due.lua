-- Note that an exchange with a device is not in its memory yet, and when it is to be summed up.
--
-- keys     memory: of the device · memory_due
-- args     device_id · idle_ms: after which it is due · most_unread: exchanges after which it is due at once · memory_ttl_s
-- Returns  how many exchanges are not in it

local unread = redis.call("HINCRBY", keys.memory, "unread", 1)
redis.call("EXPIRE", keys.memory, args.memory_ttl_s)
local due_at = unread >= tonumber(args.most_unread) and now or now + tonumber(args.idle_ms)
redis.call("ZADD", keys.memory_due, due_at, args.device_id)
return unread
