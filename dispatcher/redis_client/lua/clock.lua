-- Time of a script in ms: the clock of Redis, the same for every host.

local clock = redis.call("TIME")
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

