-- Set or remove one field of an instance; one that left the YAML is not written back into being.
--
-- keys     instance
-- args     field · value: "" removes it
-- Returns  1, or 0 when the instance is not known

if redis.call("EXISTS", keys.instance) == 0 then return 0 end
if args.value == "" then
  redis.call("HDEL", keys.instance, args.field)
else
  redis.call("HSET", keys.instance, args.field, args.value)
end
return 1
