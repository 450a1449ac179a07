-- Note that a device was here, and return all that is known of it.
--
-- keys     device · devices · strangers · devices_changed
-- args     device_id · connected: 1, or 0 where it only asked for its address · devices_kept, strangers_kept: at most ·
--          device_prefix, activation_prefix: how such keys begin · stranger_ttl_s · code: for a device that is to be
--          activated, or "" · client: digest of it, or "" where it named none · opens: 1 where it opens a connection as
--          the device; then fields and values of what the device said of itself
-- Returns  the fields and values of its hash
--
-- A device that only asks for an address is a stranger: any number of made-up ids replaces other strangers, never a known
-- device. Where the registry is full, a device that nobody marked and that was away for half a year gives way.
-- The first client that opens a connection is the device from then on. Another one changes nothing of it but
-- that it waits to be admitted.

local id = args.device_id
local LONG_AWAY_MS = 180 * 24 * 3600 * 1000
local WAITING_SHOWN_MS = 24 * 3600 * 1000

local function forget(other)
  local hash = args.device_prefix .. other
  local code = redis.call("HGET", hash, "code")
  if code then redis.call("DEL", args.activation_prefix .. code) end
  redis.call("DEL", hash)
end

local function has_room()
  if redis.call("ZCARD", keys.devices) < tonumber(args.devices_kept) then return true end
  for _, other in ipairs(redis.call("ZRANGEBYSCORE", keys.devices, "-inf", now - LONG_AWAY_MS, "LIMIT", 0, 20)) do
    local marks = redis.call("HMGET", args.device_prefix .. other, "name", "language", "persona", "blocked")
    if not (marks[1] or marks[2] or marks[3] or marks[4]) then
      redis.call("ZREM", keys.devices, other)
      redis.call("SADD", keys.devices_changed, other)
      forget(other)
      return true
    end
  end
  return false
end

local client, opens = args.client, args.opens == "1"
local bound = redis.call("HGET", keys.device, "client")
local is_other = bound and bound ~= client and (opens or client ~= "")
if is_other and opens then
  redis.call("HSET", keys.device, "waiting_client", client, "waiting_since_ms", now)
  return redis.call("HGETALL", keys.device)
end
if opens then
  if not bound and client ~= "" then redis.call("HSET", keys.device, "client", client) end
  local since = redis.call("HGET", keys.device, "waiting_since_ms")
  if since and now - since > WAITING_SHOWN_MS then
    redis.call("HDEL", keys.device, "waiting_client", "waiting_since_ms")
  end
end

redis.call("HSETNX", keys.device, "first_seen_ms", now)
redis.call("HSET", keys.device, "last_seen_ms", now)
if not is_other then
  for at = FIRST_REST, #ARGV, 2 do redis.call("HSET", keys.device, ARGV[at], ARGV[at + 1]) end
end

local known = redis.call("ZSCORE", keys.devices, id)
local is_active = redis.call("HEXISTS", keys.device, "activated") == 1
if args.code ~= "" and not is_active then
  if redis.call("HSETNX", keys.device, "code", args.code) == 1
    and not redis.call("SET", args.activation_prefix .. args.code, id, "NX", "EX", args.stranger_ttl_s) then
    -- Another device shows this code at the moment; the next answer has another one.
    redis.call("HDEL", keys.device, "code")
  end
  local code = redis.call("HGET", keys.device, "code")
  if code then redis.call("SET", args.activation_prefix .. code, id, "EX", args.stranger_ttl_s) end
end

if known or args.connected == "1" and has_room() then
  redis.call("ZADD", keys.devices, now, id)
  redis.call("ZREM", keys.strangers, id)
  redis.call("PERSIST", keys.device)
  redis.call("SADD", keys.devices_changed, id)
else
  redis.call("ZADD", keys.strangers, now, id)
  redis.call("EXPIRE", keys.device, args.stranger_ttl_s)
  while redis.call("ZCARD", keys.strangers) > tonumber(args.strangers_kept) do forget(redis.call("ZPOPMIN", keys.strangers)[1]) end
end
return redis.call("HGETALL", keys.device)
