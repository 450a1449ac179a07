-- Put entries that an older version laid aside (records_aside.lua) back into the stream of records.
--
-- keys     unknown · records
-- args     maxlen: of the stream; then the kinds that this version knows
-- Returns  how many were put back

local known, back = {}, 0
for i = FIRST_REST, #ARGV do known[ARGV[i]] = true end
for _, entry in ipairs(redis.call("XRANGE", keys.unknown, "-", "+")) do
  local fields = entry[2]
  for at = 1, #fields, 2 do
    if fields[at] == "kind" and known[fields[at + 1]] then
      redis.call("XADD", keys.records, "MAXLEN", "~", args.maxlen, "*", unpack(fields))
      redis.call("XDEL", keys.unknown, entry[1])
      back = back + 1
    end
  end
end
return back
