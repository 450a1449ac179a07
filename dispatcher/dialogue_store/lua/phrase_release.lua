-- Let another process make a phrase, if the caller is still the one that is to.
--
-- keys     making: of the phrase
-- args     token: of the caller

if redis.call("GET", keys.making) == args.token then redis.call("UNLINK", keys.making) end
