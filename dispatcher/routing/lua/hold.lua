-- Hold the weight or the cap of an instance at an operator's value, or end that.
--
-- keys     instance
-- args     field: weight_held | cap_held · value: "" ends it · for_ms: 0 until it is undone · by: who said so
-- Returns  1, or 0 when the instance is not known
--
-- One field says all of it, so that the pick script reads one more and the hold ends by itself to the millisecond.

if redis.call("EXISTS", keys.instance) == 0 then return 0 end
if args.value == "" then
  redis.call("HDEL", keys.instance, args.field)
else
  local for_ms = tonumber(args.for_ms)
  local until_ms = for_ms > 0 and now + for_ms or 0
  redis.call("HSET", keys.instance, args.field, string.format("%s %.0f %s", args.value, until_ms, args.by))
end
return 1
