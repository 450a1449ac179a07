-- Note that a device was here, and return all that is known of it.
--
-- KEYS  device:{device}, devices, strangers, devices-changed
-- ARGV  device id, 1 where it connected and 0 where it only asked for its address, most devices, most strangers,
--       how device keys begin, how activation keys begin, seconds that a stranger is known, a code for a device
--       that is to be activated or "", digest of the client or "" where it named none, 1 where it opens a
--       connection as the device, then fields and values that the device said of itself
-- Returns the fields and values of its hash
--
-- Who only asks for an address is a stranger: any number of made-up ids replaces other strangers, never a known
-- device. Where the registry is full, a device that nobody marked and that was away for half a year gives way.
-- The first client that opens a connection is the device from then on. Another one changes nothing of it but
-- that it waits to be admitted.

local id, connected, most, most_strangers = ARGV[1], ARGV[2] == "1", tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local LONG_AWAY_MS = 180 * 24 * 3600 * 1000
local WAITING_SHOWN_MS = 24 * 3600 * 1000

local function forget(other)
  local hash = ARGV[5] .. other
  local code = redis.call("HGET", hash, "code")
  if code then redis.call("DEL", ARGV[6] .. code) end
  redis.call("DEL", hash)
end

local function has_room()
  if redis.call("ZCARD", KEYS[2]) < most then return true end
  for _, other in ipairs(redis.call("ZRANGEBYSCORE", KEYS[2], "-inf", now - LONG_AWAY_MS, "LIMIT", 0, 20)) do
    local marks = redis.call("HMGET", ARGV[5] .. other, "name", "language", "persona", "blocked")
    if not (marks[1] or marks[2] or marks[3] or marks[4]) then
      redis.call("ZREM", KEYS[2], other)
      redis.call("SADD", KEYS[4], other)
      forget(other)
      return true
    end
  end
  return false
end

local client, opens = ARGV[9], ARGV[10] == "1"
local bound = redis.call("HGET", KEYS[1], "client")
local is_other = bound and bound ~= client and (opens or client ~= "")
if is_other and opens then
  redis.call("HSET", KEYS[1], "waiting_client", client, "waiting_since_ms", now)
  return redis.call("HGETALL", KEYS[1])
end
if opens then
  if not bound and client ~= "" then redis.call("HSET", KEYS[1], "client", client) end
  local since = redis.call("HGET", KEYS[1], "waiting_since_ms")
  if since and now - since > WAITING_SHOWN_MS then
    redis.call("HDEL", KEYS[1], "waiting_client", "waiting_since_ms")
  end
end

redis.call("HSETNX", KEYS[1], "first_seen_ms", now)
redis.call("HSET", KEYS[1], "last_seen_ms", now)
if not is_other then
  for at = 11, #ARGV, 2 do redis.call("HSET", KEYS[1], ARGV[at], ARGV[at + 1]) end
end

local known = redis.call("ZSCORE", KEYS[2], id)
local is_active = redis.call("HEXISTS", KEYS[1], "activated") == 1
if ARGV[8] ~= "" and not is_active then
  if redis.call("HSETNX", KEYS[1], "code", ARGV[8]) == 1
    and not redis.call("SET", ARGV[6] .. ARGV[8], id, "NX", "EX", ARGV[7]) then
    -- Another device shows this code at the moment; the next answer has another one.
    redis.call("HDEL", KEYS[1], "code")
  end
  local code = redis.call("HGET", KEYS[1], "code")
  if code then redis.call("SET", ARGV[6] .. code, id, "EX", ARGV[7]) end
end

if known or (connected and has_room()) then
  redis.call("ZADD", KEYS[2], now, id)
  redis.call("ZREM", KEYS[3], id)
  redis.call("PERSIST", KEYS[1])
  redis.call("SADD", KEYS[4], id)
else
  redis.call("ZADD", KEYS[3], now, id)
  redis.call("EXPIRE", KEYS[1], ARGV[7])
  while redis.call("ZCARD", KEYS[3]) > most_strangers do forget(redis.call("ZPOPMIN", KEYS[3])[1]) end
end
return redis.call("HGETALL", KEYS[1])
