-- Remove the instances that left the catalogue and whose last call is over.
--
-- keys     leaving
-- args     instance_prefix, leases_prefix: how the keys of an instance and of its leases begin
-- Returns  their names

local removed = {}
for _, name in ipairs(redis.call("SMEMBERS", keys.leaving)) do
  local leases = args.leases_prefix .. name
  redis.call("ZREMRANGEBYSCORE", leases, "-inf", now)
  if redis.call("ZCARD", leases) == 0 then
    redis.call("DEL", args.instance_prefix .. name, leases)
    redis.call("SREM", keys.leaving, name)
    removed[#removed + 1] = name
  end
end
return removed
