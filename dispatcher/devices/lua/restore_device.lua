-- Give a device back what SQL knows of it; what was said since stays.
--
-- KEYS  device:{device}, devices, memory:{device}
-- ARGV  device id, when it was seen last, what is remembered of its users or "", seconds that a memory lives,
--       then fields and values
-- Returns 1

redis.call("ZADD", KEYS[2], "NX", ARGV[2], ARGV[1])
for at = 5, #ARGV, 2 do redis.call("HSETNX", KEYS[1], ARGV[at], ARGV[at + 1]) end
redis.call("PERSIST", KEYS[1])
if ARGV[3] ~= "" and redis.call("HSETNX", KEYS[3], "text", ARGV[3]) == 1 then
  redis.call("EXPIRE", KEYS[3], ARGV[4])
end
return 1
