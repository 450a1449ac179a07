-- Budgets of a pick (pick_candidates.lua): which paid instances are over one, and of which a budget is nearly spent.
--
-- rest keys  a hash for each budget that holds for the call: period, spent, largest:{service} (call), held:{lease} of
--            the calls under way: what is set aside for one, and the key of the leases that it has one of
-- rest args  names of the paid instances (comma-joined); then for each budget its name, limit, period, what a large
--            call uses, the only instance that it is of ("" for all that are paid)
--
-- A budget has no room beyond what its calls under way may still use, so that calls that are picked at the same moment
-- exceed it by one call at most. One that is spent refuses a call; one without room has it wait for the end of another.
-- What is set aside ends with the lease: of a worker that died as well.

local budgets, over_budget, full_budget, near_budget, spent_budget = {}, {}, {}, {}, nil

local function held_by(key, field, value)
  local lease, amount, leases = string.sub(field, #BUDGET_HELD + 1), string.match(value, "^(%S+) (.+)$")
  local ends_at = leases and redis.call("ZSCORE", leases, lease)
  if not ends_at or tonumber(ends_at) <= now then
    redis.call("HDEL", key, field)
    return 0
  end
  return lease == args.lease_id and 0 or tonumber(amount)
end

local function read_budget(key, at)
  local it = { key = key, name = ARGV[at], limit = tonumber(ARGV[at + 1]), period = ARGV[at + 2],
    large = tonumber(ARGV[at + 3]), instance = ARGV[at + 4] }
  local spent, period, held = 0, "", 0
  local flat = redis.call("HGETALL", key)
  for i = 1, #flat, 2 do
    local field, value = flat[i], flat[i + 1]
    if field == "spent" then spent = tonumber(value)
    elseif field == "period" then period = value
    elseif field == "largest:" .. args.service then it.large = math.max(it.large, tonumber(value))
    elseif string.sub(field, 1, #BUDGET_HELD) == BUDGET_HELD then held = held + held_by(key, field, value) end
  end
  it.spent = period < it.period and 0 or spent
  it.used = it.spent + held
  return it
end

local function covers(budget, name) return budget.instance == "" or budget.instance == name end

local function mark(budget, paid)
  if budget.used < budget.limit * BUDGET_NEAR_RATIO then return end
  local is_over, is_full = budget.spent >= budget.limit, budget.used >= budget.limit
  for name in pairs(paid) do
    if covers(budget, name) then
      near_budget[name] = near_budget[name] or budget.name
      if is_over then over_budget[name] = over_budget[name] or budget.name end
      if is_full then full_budget[name] = full_budget[name] or budget.name end
    end
  end
  if is_over then spent_budget = spent_budget or budget.name end
end

if ARGV[FIRST_REST] then
  local paid = set_of(ARGV[FIRST_REST])
  for at = FIRST_REST_KEY, #KEYS do
    budgets[#budgets + 1] = read_budget(KEYS[at], FIRST_REST + 1 + 5 * (at - FIRST_REST_KEY))
    mark(budgets[#budgets], paid)
  end
end

-- Set something of each budget aside for a call; its end tells what it really used (call_usage.lua).
local function hold_budgets(name)
  if #budgets == 0 or not set_of(ARGV[FIRST_REST])[name] then return end
  for _, budget in ipairs(budgets) do
    if covers(budget, name) then
      redis.call("HSET", budget.key, BUDGET_HELD .. args.lease_id, budget.large .. " " .. args.leases_prefix .. name)
      redis.call("PEXPIRE", budget.key, BUDGET_TTL_MS)
    end
  end
end

