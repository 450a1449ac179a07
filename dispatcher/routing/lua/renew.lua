-- Hold leases for another lease time, by the clock of Redis; a lease that was lost is not taken again.
--
-- KEYS  one leases:{service}:{name} for each lease
-- ARGV  lease time to live in ms, then the lease ids in the same order; a time in ms instead of the clock of
--       Redis (simulations)

local clock = redis.call("TIME")
local now = tonumber(ARGV[#KEYS + 2] or "") or clock[1] * 1000 + math.floor(clock[2] / 1000)
local expiry = now + tonumber(ARGV[1])
local held = 0
for i, key in ipairs(KEYS) do
  if redis.call("ZSCORE", key, ARGV[i + 1]) then
    redis.call("ZADD", key, expiry, ARGV[i + 1])
    redis.call("PEXPIRE", key, 60000)
    held = held + 1
  end
end
return held
