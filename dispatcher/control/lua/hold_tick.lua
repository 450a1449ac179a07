-- Move the end of a tick, if it is still held by the same taker.
--
-- keys     tick: of the task
-- args     token · in_ms: when it ends; 0 ends it now
-- Returns  1 where it was, else 0

if redis.call("GET", keys.tick) ~= args.token then return 0 end
redis.call("PEXPIRE", keys.tick, args.in_ms)
return 1
