-- Move the end of a tick, if it is still held by the same taker.
--
-- KEYS     tick:{task}
-- ARGV     token, in how many ms it ends; 0 ends it now
-- Returns  1 where it was, else 0

if redis.call("GET", KEYS[1]) ~= ARGV[1] then return 0 end
redis.call("PEXPIRE", KEYS[1], ARGV[2])
return 1
