-- Put a message that a worker has in hand back into its queue, once: a caller that lost the answer may repeat it.
--
-- keys     taken: of the worker · queue
-- args     message
-- Returns  1, or 0 where the worker has it no more

if redis.call("LREM", keys.taken, -1, args.message) == 0 then return 0 end
redis.call("LPUSH", keys.queue, args.message)
return 1
