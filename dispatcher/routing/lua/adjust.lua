-- Write what the weights of instances are multiplied with; all of them in one step.
--
-- KEYS  one instance:{service}:{name} for each instance
-- ARGV  now in ms, then for each instance the factor, on which side its target lay (1 | 0 | -1), and how many
--       calls it had ended by then
--
-- An instance that left the YAML meanwhile is not written back into being.

for i, key in ipairs(KEYS) do
  if redis.call("EXISTS", key) == 1 then
    redis.call("HSET", key, "adjusted_at_ms", ARGV[1], "adjustment", ARGV[3 * i - 1], "adjusted_lean", ARGV[3 * i],
      "adjusted_calls", ARGV[3 * i + 1])
  end
end
return #KEYS
