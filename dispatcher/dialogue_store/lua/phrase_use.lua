-- Use of phrases, which fades: a phrase counts half as much after USE_HALF_LIFE_S. Kept as the logarithm to base 2 of what
-- it would be worth at time 0, so that nothing has to be counted down: the least used one has the lowest score.

local LOG2 = math.log(2)

local function used_once_more(score)
  local this = now / 1000 / USE_HALF_LIFE_S
  if not score then return this end
  local high, low = math.max(score, this), math.min(score, this)
  return high + math.log(1 + 2 ^ (low - high)) / LOG2
end

-- Figures that fade likewise, for the tuner: what a recent stretch of time was worth.
local function add_recent(field, by)
  local at = tonumber(redis.call("HGET", keys.figures, field .. "_at_ms")) or now
  local before = tonumber(redis.call("HGET", keys.figures, field)) or 0
  local faded = before * 2 ^ (-math.max(0, now - at) / 1000 / RECENT_HALF_LIFE_S)
  redis.call("HSET", keys.figures, field, faded + by, field .. "_at_ms", now)
end

local function forget(name)
  local bytes = tonumber(redis.call("HGET", keys.sizes, name)) or 0
  redis.call("UNLINK", name)
  redis.call("ZREM", keys.phrases, name)
  redis.call("HDEL", keys.sizes, name)
  redis.call("HINCRBY", keys.figures, "bytes", -bytes)
end

local function renew_index()
  for _, key in ipairs({ keys.phrases, keys.sizes }) do redis.call("EXPIRE", key, PHRASE_TTL_S) end
end

local function set_size(name, bytes)
  -- Sizes that expired were of phrases that count for nothing from then on.
  if redis.call("EXISTS", keys.sizes) == 0 then redis.call("HSET", keys.figures, "bytes", 0) end
  local before = tonumber(redis.call("HGET", keys.sizes, name)) or 0
  redis.call("HSET", keys.sizes, name, bytes)
  redis.call("HINCRBY", keys.figures, "bytes", bytes - before)
  renew_index()
end

