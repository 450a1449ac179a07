-- Hold leases for another lease time; a lease that was lost is not taken again.
--
-- KEYS     leases of the instance of each lease
-- args     lease_ttl_ms · now_ms; then the lease ids in the order of the keys
-- Returns  how many were still held

local expiry, held = now + tonumber(args.lease_ttl_ms), 0
for i, key in ipairs(KEYS) do
  local lease = ARGV[FIRST_REST + i - 1]
  if redis.call("ZSCORE", key, lease) then
    redis.call("ZADD", key, expiry, lease)
    redis.call("PEXPIRE", key, SLOT_KEYS_TTL_MS)
    held = held + 1
  end
end
return held
