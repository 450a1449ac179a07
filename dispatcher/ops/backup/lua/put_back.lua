-- Put one key of a backup back, whole.
--
-- keys     restored
-- args     kind: list | hash · ttl_ms: 0 for none; then its words

redis.call("DEL", keys.restored)
local command = args.kind == "list" and "RPUSH" or "HSET"
for first = FIRST_REST, #ARGV, 1000 do
  redis.call(command, keys.restored, unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
if tonumber(args.ttl_ms) > 0 then
  redis.call("PEXPIRE", keys.restored, args.ttl_ms)
end
return 1
