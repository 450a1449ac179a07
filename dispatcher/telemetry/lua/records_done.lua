-- Take entries that are kept in SQL out of the stream, and count each of them once.
--
-- keys     records · drained
-- args     group · weight: how much an entry counts (0 for those that were trimmed away unread); then entry ids
-- Returns  how many were still to be acknowledged

local acknowledged = 0
for i = FIRST_REST, #ARGV do
  acknowledged = acknowledged + redis.call("XACK", keys.records, args.group, ARGV[i])
  redis.call("XDEL", keys.records, ARGV[i])
end
redis.call("HINCRBY", keys.drained, "drained", acknowledged * tonumber(args.weight))
return acknowledged
