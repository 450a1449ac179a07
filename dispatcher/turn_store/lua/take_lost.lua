-- Take the messages of workers that are lost, and free their slots. Done once, whichever front asks.
--
-- keys     workers: when each of them, and under WATCH any front, was seen last, in ms, negative of a worker that is known
--          to have ended, 0 of one that stopped; then for each service fleet:{service}, waiting:{service}, seen:{service},
--          excluded:{service}
-- args     lost_after_ms · remembered_ms: after that · taken_prefix: how the key of taken messages begins · freed_channel:
--          on which a waiting call is notified of a free slot · grace_ms: so much later the caller asks again; then for
--          each service how the keys of its leases begin
-- Returns  the messages of those that have ended, and of those that show no life
--
-- A lost worker is remembered for a while: one that stands still has asked for a message that it gets later.

local WATCH = "watch"
local lost_after_ms = tonumber(args.lost_after_ms)
local watched = tonumber(redis.call("ZSCORE", keys.workers, WATCH)) or 0
if now - watched > lost_after_ms then
  -- No front looked: Redis was away, or this host stood still. What kept fronts away kept workers away as well.
  for _, id in ipairs(redis.call("ZRANGEBYSCORE", keys.workers, "(0", "+inf")) do
    redis.call("ZADD", keys.workers, now, id)
  end
end
redis.call("ZADD", keys.workers, "GT", now + tonumber(args.grace_ms), WATCH)

local function begins(text, prefix) return string.sub(text, 1, #prefix) == prefix end

local function leave_line(prefix, waiting, seen, excluded)
  for _, id in ipairs(redis.call("ZRANGE", waiting, 0, -1)) do
    if begins(id, prefix) then
      redis.call("ZREM", waiting, id)
      redis.call("ZREM", seen, id)
      redis.call("HDEL", excluded, id)
    end
  end
end

local function free_slots(prefix)
  for at = 2, #KEYS, 4 do
    local fleet, waiting, leases = KEYS[at], KEYS[at + 1], ARGV[FIRST_REST + (at - 2) / 4]
    local freed = 0
    leave_line(prefix, waiting, KEYS[at + 2], KEYS[at + 3])
    for name in string.gmatch(redis.call("HGET", fleet, "names") or "", "[^,]+") do
      for _, id in ipairs(redis.call("ZRANGE", leases .. name, 0, -1)) do
        if begins(id, prefix) then freed = freed + redis.call("ZREM", leases .. name, id) end
      end
    end
    for _, id in ipairs(freed > 0 and redis.call("ZRANGE", waiting, 0, freed - 1) or {}) do
      redis.call("PUBLISH", args.freed_channel, id)
    end
  end
end

local ended, silent = {}, {}
local late = redis.call("ZRANGEBYSCORE", keys.workers, "-inf", now - lost_after_ms, "WITHSCORES")
for at = 1, #late, 2 do
  local id, seen = late[at], tonumber(late[at + 1])
  local lost = seen > 0 and silent or ended
  for _, message in ipairs(redis.call("LRANGE", args.taken_prefix .. id, 0, -1)) do lost[#lost + 1] = message end
  redis.call("DEL", args.taken_prefix .. id)
  -- The last word of its id begins the ids of its leases.
  free_slots(string.match(id, "[^:]*$"))
  if now - math.abs(seen) > lost_after_ms + tonumber(args.remembered_ms) then redis.call("ZREM", keys.workers, id) end
end
return { ended, silent }
