-- Counters of usage, moved into the stream of records: from here on they are kept once (records/usage.py).
--
-- keys     usage · records
-- args     maxlen: of the stream · most: counters in one entry
-- Returns  how many counters there were

local flat = redis.call("HGETALL", keys.usage)
if #flat == 0 then return 0 end
redis.call("DEL", keys.usage)
local counters, count = {}, 0
local function add()
  redis.call("XADD", keys.records, "MAXLEN", "~", args.maxlen, "*", "kind", "usage",
    "fields", cjson.encode({ counters = counters }))
  counters, count = {}, 0
end
for at = 1, #flat, 2 do
  counters[flat[at]], count = flat[at + 1], count + 1
  if count == tonumber(args.most) then add() end
end
if count > 0 then add() end
return #flat / 2
