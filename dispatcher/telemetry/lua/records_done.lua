-- Take entries that are kept in SQL out of the stream, and count each of them once.
--
-- KEYS     records, records-drained
-- ARGV     the group, how much an entry counts (0 for those that were trimmed away unread), entry ids
-- Returns  how many were still to be acknowledged

local group, weight = ARGV[1], tonumber(ARGV[2])
local acknowledged = 0
for i = 3, #ARGV do
  acknowledged = acknowledged + redis.call("XACK", KEYS[1], group, ARGV[i])
  redis.call("XDEL", KEYS[1], ARGV[i])
end
redis.call("HINCRBY", KEYS[2], "drained", acknowledged * weight)
return acknowledged
