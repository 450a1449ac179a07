-- Activate a catalogue, unless one that was chosen later is; all of it in one step.
--
-- keys     catalogue; then for each service fleet:{service} and leaving:{service}
-- args     definition: the catalogue as JSON · digest · chosen_at_ms: "now" where an operator does so at this moment ·
--          reloaded_channel; then for each service its name and how the keys of its instances begin
-- Returns  {revision in force, when that was chosen in ms, its JSON, or "" where it is the caller's}
--
-- docs/adr/0006-live-reload.md: which of two catalogues wins.

local known = redis.call("HMGET", keys.catalogue, "revision", "chosen_at_ms", "digest", "definition")
local revision, known_at = tonumber(known[1]) or 0, tonumber(known[2]) or -1
-- A file's clock may run ahead; it must not win over every later choice.
local chosen_at = args.chosen_at_ms == "now" and math.max(now, known_at + 1)
  or math.min(now, tonumber(args.chosen_at_ms))

local services = {}
for i = 1, (#KEYS - 1) / 2 do
  local at = FIRST_REST + 2 * (i - 1)
  services[i] = { fleet = KEYS[2 * i], leaving = KEYS[2 * i + 1], name = ARGV[at], prefix = ARGV[at + 1] }
end

local function write_instance(service, it)
  local key = service.prefix .. it.name
  local before = redis.call("HMGET", key, "endpoint", "draining", "answers_as", "weight_held", "cap_held")
  local answers_as = tostring(it.provider) .. " " .. tostring(it.model)
  if before[1] and (before[1] ~= it.endpoint or before[3] and before[3] ~= answers_as) then
    -- Another server or model under the same name: what was learned is not about it, what an operator said is.
    redis.call("DEL", key)
    for at, field in pairs({ [2] = "draining", [4] = "weight_held", [5] = "cap_held" }) do
      if before[at] then redis.call("HSET", key, field, before[at]) end
    end
  end
  redis.call("HSET", key, "weight", it.weight, "cap", it.max_concurrent, "priority", it.priority,
    "endpoint", it.endpoint, "answers_as", answers_as)
  -- Turns are counted anew, so that new weights hold from the next call on.
  redis.call("HDEL", key, "current")
  redis.call("SREM", service.leaving, it.name)
end

-- An instance that is not among the names gets no call from here on; its keys stay while calls are under way (prune.lua).
local function write_service(service, config)
  local names, stays = {}, {}
  for _, it in ipairs(config.instances) do
    names[#names + 1], stays[it.name] = it.name, true
    write_instance(service, it)
  end
  for name in string.gmatch(redis.call("HGET", service.fleet, "names") or "", "[^,]+") do
    if not stays[name] then redis.call("SADD", service.leaving, name) end
  end
  redis.call("HSET", service.fleet, "algorithm", config.algorithm, "names", table.concat(names, ","))
  if type(config.max_concurrent) == "number" then
    redis.call("HSET", service.fleet, "cap", config.max_concurrent)
  else
    redis.call("HDEL", service.fleet, "cap")
  end
end

local function write_all(text)
  local configs = cjson.decode(text).services
  for _, service in ipairs(services) do write_service(service, configs[service.name]) end
end

local function is_whole()
  for _, service in ipairs(services) do
    if redis.call("EXISTS", service.fleet) == 0 then return false end
  end
  return true
end

if known[3] == args.digest then
  redis.call("HSET", keys.catalogue, "chosen_at_ms", math.max(chosen_at, known_at))
  if not is_whole() then write_all(args.definition) end
  return { revision, math.max(chosen_at, known_at), "" }
end
if known[3] and chosen_at <= known_at then
  if not is_whole() then write_all(known[4]) end
  return { revision, known_at, known[4] }
end
write_all(args.definition)
redis.call("HSET", keys.catalogue, "revision", revision + 1, "chosen_at_ms", chosen_at, "digest", args.digest,
  "definition", args.definition)
redis.call("PUBLISH", args.reloaded_channel, revision + 1)
return { revision + 1, chosen_at, "" }
