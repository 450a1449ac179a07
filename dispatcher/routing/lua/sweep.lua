-- Forget the instances that left the catalogue and whose last call is over.
--
-- KEYS     leaving:{service}
-- ARGV     how the keys of an instance and of its leases begin
-- Returns  their names

local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local forgotten = {}
for _, name in ipairs(redis.call("SMEMBERS", KEYS[1])) do
  local leases = ARGV[2] .. name
  redis.call("ZREMRANGEBYSCORE", leases, "-inf", now)
  if redis.call("ZCARD", leases) == 0 then
    redis.call("DEL", ARGV[1] .. name, leases)
    redis.call("SREM", KEYS[1], name)
    forgotten[#forgotten + 1] = name
  end
end
return forgotten
