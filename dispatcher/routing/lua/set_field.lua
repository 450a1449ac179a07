-- Set or remove one field of an instance; one that left the YAML is not written back into being.
--
-- KEYS  instance:{service}:{name}
-- ARGV  field, value ("" removes it)
-- Returns 1, or 0 when the instance is not known.

if redis.call("EXISTS", KEYS[1]) == 0 then return 0 end
if ARGV[2] == "" then
  redis.call("HDEL", KEYS[1], ARGV[1])
else
  redis.call("HSET", KEYS[1], ARGV[1], ARGV[2])
end
return 1
