-- Put a task into a queue, once: a caller that lost the answer may repeat it.
--
-- keys     queue · sent: of the task
-- args     message: its header sent_at_s is set to the time of Redis, by which its age is read, whatever the clock of
--          the sender · sent_ttl_s: for so long a repetition is known as one
-- Returns  the length of the queue

if redis.call("SET", keys.sent, 1, "NX", "EX", args.sent_ttl_s) then
  local sent_at = string.format("%%1%.3f", now / 1000)
  return redis.call("LPUSH", keys.queue, (string.gsub(args.message, '("sent_at_s": )[%d.]+', sent_at, 1)))
end
return redis.call("LLEN", keys.queue)
