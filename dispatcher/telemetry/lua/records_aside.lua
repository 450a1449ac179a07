-- Lay aside entries of kinds that this version does not know; what came is kept for a newer one (records_back.lua).
--
-- keys     records · drained · unknown: the stream of what is laid aside
-- args     group · maxlen: of that stream; then entry ids
-- Returns  how many were there

local laid = 0
for i = FIRST_REST, #ARGV do
  local entry = redis.call("XRANGE", keys.records, ARGV[i], ARGV[i])[1]
  if entry then redis.call("XADD", keys.unknown, "MAXLEN", "~", args.maxlen, "*", unpack(entry[2])) end
  redis.call("XDEL", keys.records, ARGV[i])
  laid = laid + redis.call("XACK", keys.records, args.group, ARGV[i])
end
redis.call("HINCRBY", keys.drained, "drained", laid)
return laid
