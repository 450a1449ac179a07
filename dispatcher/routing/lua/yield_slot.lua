-- Have the youngest call on a spare slot give that to a real call, which waits for one.
--
-- keys     spare: lease id to "instance began_ms turn"
-- args     excluded: instances that the real call cannot use (comma-joined) · leases_prefix: how the keys of an
--          instance's leases begin · committed_prefix: the same of the flag of a turn that is committed, whose calls are real · yield_channel
-- Returns  1, or 0 where no call gives its slot
--
-- What has ended, or is real now, is removed from the hash here: nobody else has to.

local excluded = "," .. args.excluded .. ","
local youngest, youngest_ms
local calls = redis.call("HGETALL", keys.spare)
for at = 1, #calls, 2 do
  local lease = calls[at]
  local name, began_ms, turn = string.match(calls[at + 1], "^(%S+) (%d+) ?(%S*)$")
  if not name or not redis.call("ZSCORE", args.leases_prefix .. name, lease)
    or redis.call("EXISTS", args.committed_prefix .. turn) == 1 then
    redis.call("HDEL", keys.spare, lease)
  elseif not string.find(excluded, "," .. name .. ",", 1, true) and (not youngest or tonumber(began_ms) > youngest_ms) then
    youngest, youngest_ms = lease, tonumber(began_ms)
  end
end
if not youngest then return 0 end
redis.call("HDEL", keys.spare, youngest)
redis.call("PUBLISH", args.yield_channel, youngest)
return 1
