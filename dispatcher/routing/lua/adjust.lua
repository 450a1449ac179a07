-- Write what the weights of instances are multiplied with; all of them in one step.
--
-- KEYS     the hash of each instance
-- args     now_ms; then for each instance the factor, on which side its target lay (1 | 0 | -1), and how many calls it
--          had ended by then
--
-- An instance that left the YAML meanwhile is not written back into being.

for i, key in ipairs(KEYS) do
  local at = FIRST_REST + 3 * (i - 1)
  if redis.call("EXISTS", key) == 1 then
    redis.call("HSET", key, "adjusted_at_ms", args.now_ms, "adjustment", ARGV[at], "adjusted_lean", ARGV[at + 1],
      "adjusted_calls", ARGV[at + 2])
  end
end
return #KEYS
