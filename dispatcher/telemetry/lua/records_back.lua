-- Put entries that an older version laid aside (records_aside.lua) back into the stream of records.
-- Each entry is looked at once for the same kinds: what these do not know waits for a version with others.
--
-- keys     unknown · records · drained: has the last entry that was looked at, by the kinds
-- args     maxlen: of the stream; then the kinds that this version knows
-- Returns  how many were put back

local known, back = {}, 0
local field = "put-back-for " .. table.concat(ARGV, ",", FIRST_REST)
local looked_at = redis.call("HGET", keys.drained, field)
local last = redis.call("XREVRANGE", keys.unknown, "+", "-", "COUNT", 1)[1]
if not last or last[1] == looked_at then return 0 end
for i = FIRST_REST, #ARGV do known[ARGV[i]] = true end
for _, entry in ipairs(redis.call("XRANGE", keys.unknown, looked_at or "-", "+")) do
  local fields = entry[2]
  for at = 1, #fields, 2 do
    if fields[at] == "kind" and known[fields[at + 1]] then
      redis.call("XADD", keys.records, "MAXLEN", "~", args.maxlen, "*", unpack(fields))
      redis.call("XDEL", keys.unknown, entry[1])
      back = back + 1
    end
  end
end
redis.call("HSET", keys.drained, field, last[1])
return back
