-- Keep a phrase that was made, within the budget: the least used go. The script is these fragments joined: clock,
-- phrase_use, phrase_store.
--
-- keys     phrases · sizes · figures · making: of the phrase · phrase
-- args     packets · took_ms: to make them · instance: who spoke · ttl_s · is_fixed · max_bytes: the budget
-- Returns  whether it is kept

redis.call("DEL", keys.making)
local budget, bytes = tonumber(args.max_bytes), #args.packets
if bytes == 0 or bytes > budget / LARGEST_SHARE then return 0 end
redis.call("DEL", keys.phrase)
redis.call("HSET", keys.phrase, "packets", args.packets, "took_ms", args.took_ms, "instance", args.instance,
  "ttl_s", args.ttl_s)
redis.call("EXPIRE", keys.phrase, args.ttl_s)
-- Fixed phrases are rarely said, and most wanted when nothing else can be: they go last.
local score = used_once_more(nil) + (args.is_fixed == "1" and FIXED_BONUS or 0)
redis.call("ZADD", keys.phrases, score, keys.phrase)
set_size(keys.phrase, bytes)
redis.call("HINCRBY", keys.figures, "stored", 1)
while tonumber(redis.call("HGET", keys.figures, "bytes")) > budget do
  local least = redis.call("ZRANGE", keys.phrases, 0, 0)[1]
  if not least then
    -- The index was lost and the sizes are of nothing.
    redis.call("DEL", keys.sizes)
    redis.call("HSET", keys.figures, "bytes", 0)
    break
  end
  local was_expired = redis.call("EXISTS", least) == 0
  forget(least)
  if not was_expired then
    redis.call("HINCRBY", keys.figures, "evicted", 1)
    add_recent("evicted_bytes", bytes)
  end
end
return redis.call("EXISTS", keys.phrase)
