-- Let another drain begin, unless one did already.
--
-- KEYS     records-drainer
-- ARGV     who held it

if redis.call("GET", KEYS[1]) == ARGV[1] then
  redis.call("DEL", KEYS[1])
end
