-- Take what workers had in hand that show no life any more, and free their slots. Done once, whoever asks.
--
-- KEYS     workers: when each of them, and under WATCH any front, was seen last, in ms; then for each service
--          fleet:{service}, waiting:{service}, seen:{service}, excluded:{service}
-- ARGV     after how many ms a worker is lost, for how many more it is remembered, how the key of taken messages
--          begins, the channel on which a call in line hears of a free slot; then for each service how the keys of
--          its leases begin
-- Returns  the messages
--
-- A lost worker is remembered for a while: one that stands still has asked for a message that it gets later.

local WORKERS, WATCH = KEYS[1], "watch"
local LOST_MS, REMEMBERED_MS = tonumber(ARGV[1]), tonumber(ARGV[2])
local TAKEN, FREED, SERVICES_AT = ARGV[3], ARGV[4], 5

local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local watched = tonumber(redis.call("ZSCORE", WORKERS, WATCH)) or 0
redis.call("ZADD", WORKERS, now, WATCH)
if now - watched > LOST_MS then
  -- Nobody looked: Redis was away, or this host stood still. What kept fronts away kept workers away as well.
  for _, id in ipairs(redis.call("ZRANGEBYSCORE", WORKERS, "(0", "+inf")) do
    redis.call("ZADD", WORKERS, now, id)
  end
end

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
    local fleet, waiting, leases = KEYS[at], KEYS[at + 1], ARGV[SERVICES_AT + (at - 2) / 4]
    local freed = 0
    leave_line(prefix, waiting, KEYS[at + 2], KEYS[at + 3])
    for name in string.gmatch(redis.call("HGET", fleet, "names") or "", "[^,]+") do
      for _, id in ipairs(redis.call("ZRANGE", leases .. name, 0, -1)) do
        if begins(id, prefix) then freed = freed + redis.call("ZREM", leases .. name, id) end
      end
    end
    for _, id in ipairs(freed > 0 and redis.call("ZRANGE", waiting, 0, freed - 1) or {}) do
      redis.call("PUBLISH", FREED, id)
    end
  end
end

local lost = {}
local late = redis.call("ZRANGEBYSCORE", WORKERS, "-inf", now - LOST_MS, "WITHSCORES")
for at = 1, #late, 2 do
  local id = late[at]
  for _, message in ipairs(redis.call("LRANGE", TAKEN .. id, 0, -1)) do lost[#lost + 1] = message end
  redis.call("DEL", TAKEN .. id)
  -- The last word of its id begins the ids of its leases.
  free_slots(string.match(id, "[^:]*$"))
  if now - tonumber(late[at + 1]) > LOST_MS + REMEMBERED_MS then redis.call("ZREM", WORKERS, id) end
end
return lost
