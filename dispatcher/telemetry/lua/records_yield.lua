-- Give a lock back, unless it is held by another one already.
--
-- keys     lock
-- args     holder

if redis.call("GET", keys.lock) == args.holder then
  redis.call("DEL", keys.lock)
end
