-- Put a task into a queue, once: a caller that lost the answer may repeat it.
--
-- keys     queue · sent: of the task
-- args     message · sent_ttl_s: for so long a repetition is known as one
-- Returns  the length of the queue

if redis.call("SET", keys.sent, 1, "NX", "EX", args.sent_ttl_s) then
  return redis.call("LPUSH", keys.queue, args.message)
end
return redis.call("LLEN", keys.queue)
