-- Algorithms of a pick (pick_candidates.lua), each over instances of one priority that have a free slot.

-- Slow start: the wanted share grows from the floor to the whole.
local function effective_weight(it)
  local age = now - it.recovered_at
  if it.recovered_at == 0 or age >= SLOW_START_MS then return it.weight end
  return it.weight * math.max(SLOW_START_FLOOR, age / SLOW_START_MS)
end

local function median_latency(all)
  local seen = {}
  for _, it in ipairs(all) do if it.latency then seen[#seen + 1] = it.latency end end
  table.sort(seen)
  return seen[math.ceil(#seen / 2)] or 1
end

-- Resource based: all terms 0..1; what an instance does not report is left out, the rest renormalised.
local function resource_load(it, latency)
  local terms = {
    { 0.30, it.cpu }, { 0.25, it.memory }, { 0.20, it.in_flight / it.cap },
    { 0.15, latency and math.min(latency / 1000, 1) }, { 0.10, it.errors },
  }
  local sum, share = 0, 0
  for _, term in ipairs(terms) do
    if term[2] then sum, share = sum + term[1] * term[2], share + term[1] end
  end
  local factor = it.priority == "high" and 0.8 or it.priority == "low" and 1.2 or 1
  return sum / share * factor
end

local function load_of(it, all)
  if algorithm == "least_connections" then
    -- The sum of the weights, which makes a share of each, is the same for all that are compared.
    return (it.in_flight + 1) / (it.cap * effective_weight(it))
  elseif algorithm == "response_time" then
    local slow_start = it.weight / effective_weight(it)
    return (it.latency or median_latency(all)) * (it.in_flight + 1) / it.cap * (1 + 10 * it.errors) * slow_start
  end
  return resource_load(it, it.latency)
end

-- Smooth (weighted) round robin: nginx's way, ABAABA instead of AAAABB.
local function pick_in_turn(class, weighted)
  local total, best = 0, nil
  for _, it in ipairs(class) do
    local weight = weighted and effective_weight(it) or 1
    total = total + weight
    it.current = it.current + weight
    if not best or it.current > best.current then best = it end
  end
  for _, it in ipairs(class) do
    redis.call("HSET", it.key, "current", it == best and it.current - total or it.current)
  end
  return best, "in turn"
end

-- Prefix affinity: the instance that served this dialogue last, and how much of the preference is left, 1 to 0.
local function last_of_dialogue()
  local last = has_dialogue and redis.call("GET", keys.affinity) or ""
  local name, at = string.match(last, "^(%S+) (%d+)$")
  return name, name and 1 - math.max(0, now - tonumber(at)) / AFFINITY_FADE_MS
end

-- One that is slow, half-open or under slow start is not preferred: those rules want less on it, not more.
local function prefer_last(class, loads, least)
  local name, left = last_of_dialogue()
  if not name then return nil end
  for at, it in ipairs(class) do
    local whole = not (it.slow or it.shunned or it.half_open) and effective_weight(it) == it.weight
    local most = it.name == name and left > 0 and whole and least * (1 + (AFFINITY_LOAD_FACTOR - 1) * left)
    if most and loads[at] <= most then return it end
  end
end

local function pick_least_loaded(class)
  local best, best_load, ties, loads, words = nil, nil, 0, {}, {}
  for at, it in ipairs(class) do
    local load = load_of(it, class)
    loads[at], words[at] = load, string.format("%s %.3g", it.name, load)
    if not best or load < best_load then
      best, best_load, ties = it, load, 1
    elseif load == best_load then
      ties = ties + 1
      dice = (dice * 9301 + 0.49297) % 1
      if dice < 1 / ties then best = it end
    end
  end
  local preferred = prefer_last(class, loads, best_load)
  return preferred or best, (preferred and AFFINITY_REASON .. ", load " or "load ") .. table.concat(words, ", ")
end

local function pick(class)
  if algorithm == "round_robin" then return pick_in_turn(class, false) end
  if algorithm == "weighted_round_robin" then return pick_in_turn(class, true) end
  return pick_least_loaded(class)
end

