-- Write what is remembered of a device's users, unless it was forgotten meanwhile.
--
-- KEYS  memory:{device}, devices-changed
-- ARGV  device id, text, how many exchanges are in it now, seconds that a memory lives
-- Returns 1 where it was written, else 0

local unread = tonumber(redis.call("HGET", KEYS[1], "unread") or "0")
if unread < tonumber(ARGV[3]) then return 0 end
redis.call("HSET", KEYS[1], "text", ARGV[2], "unread", unread - tonumber(ARGV[3]))
redis.call("EXPIRE", KEYS[1], ARGV[4])
redis.call("SADD", KEYS[2], ARGV[1])
return 1
