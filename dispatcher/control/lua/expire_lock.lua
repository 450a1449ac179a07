-- Move the end of a lock, if its owner still holds it.
--
-- keys     lock
-- args     token: of the owner · in_ms: when it ends; 0 ends it now
-- Returns  1 where it was held, else 0

if redis.call("GET", keys.lock) ~= args.token then return 0 end
redis.call("PEXPIRE", keys.lock, args.in_ms)
return 1
