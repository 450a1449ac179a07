-- Put a task into a queue, once: whoever lost the answer may ask again.
--
-- KEYS     the queue, sent:{task}
-- ARGV     the message, seconds for which a repetition is known as one
-- Returns  the length of the queue

if redis.call("SET", KEYS[2], 1, "NX", "EX", ARGV[2]) then
  return redis.call("LPUSH", KEYS[1], ARGV[1])
end
return redis.call("LLEN", KEYS[1])
