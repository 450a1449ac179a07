-- Puts one key of a backup back, whole. KEYS: it. ARGV: kind (list, hash), time to live in ms (0: none), words.
redis.call("DEL", KEYS[1])
local command = ARGV[1] == "list" and "RPUSH" or "HSET"
for first = 3, #ARGV, 1000 do
  redis.call(command, KEYS[1], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
if tonumber(ARGV[2]) > 0 then
  redis.call("PEXPIRE", KEYS[1], ARGV[2])
end
return 1
