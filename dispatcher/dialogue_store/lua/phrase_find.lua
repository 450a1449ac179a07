-- Find a phrase, and count the hit or the miss. The script is these fragments joined: clock, phrase_use, phrase_find.
--
-- keys     phrases · sizes · figures · said · making: of the phrase; then the keys under which it may be, the best first
-- args     is_fixed: it is kept at its first saying · token: of who would make it; "" where that is for somebody else
-- Returns  "hit", packets, how long they took to make in ms, who spoke · "mine", to be made by the caller · "theirs", made
--          by another at this moment · "keep", worth to be kept · "pass", said for the first time

local function found(name)
  local fields = redis.pcall("HMGET", name, "packets", "took_ms", "instance", "ttl_s")
  if fields.err then redis.call("UNLINK", name) end
  if fields.err or not fields[1] or not tonumber(fields[2]) then
    if redis.call("ZSCORE", keys.phrases, name) then forget(name) end
    return nil
  end
  redis.call("ZADD", keys.phrases, used_once_more(tonumber(redis.call("ZSCORE", keys.phrases, name))), name)
  if redis.call("HEXISTS", keys.sizes, name) == 0 then set_size(name, #fields[1]) end
  renew_index()
  -- What is kept for less long is made again, by whoever is in service then.
  if tonumber(fields[4]) == PHRASE_TTL_S then redis.call("EXPIRE", name, PHRASE_TTL_S) end
  redis.call("HINCRBY", keys.figures, "hits", 1)
  add_recent("saved_ms", tonumber(fields[2]))
  return { "hit", fields[1], fields[2], fields[3] or "" }
end

for at = 6, #KEYS do
  local hit = found(KEYS[at])
  if hit then return hit end
end
if args.token ~= "" then
  if redis.call("SET", keys.making, args.token, "NX", "PX", MAKING_MS) then return { "mine" } end
  return { redis.call("GET", keys.making) == args.token and "mine" or "theirs" }
end
redis.call("HINCRBY", keys.figures, "misses", 1)
if args.is_fixed == "1" then return { "keep" } end
local said_at = tonumber(redis.call("ZSCORE", keys.said, KEYS[6]))
redis.call("ZADD", keys.said, now, KEYS[6])
redis.call("ZREMRANGEBYRANK", keys.said, 0, -SAID_KEPT - 1)
redis.call("EXPIRE", keys.said, PHRASE_TTL_S)
return { said_at and now - said_at < SAID_TTL_MS and "keep" or "pass" }
