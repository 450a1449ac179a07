-- Remove all phrases, and the digests of what was said; figures of hits and misses go on.
--
-- keys     phrases · sizes · figures · said
-- Returns  how many bytes were freed

local freed = tonumber(redis.call("HGET", keys.figures, "bytes")) or 0
for _, name in ipairs(redis.call("ZRANGE", keys.phrases, 0, -1)) do redis.call("UNLINK", name) end
for _, name in ipairs(redis.call("HKEYS", keys.sizes)) do redis.call("UNLINK", name) end
redis.call("UNLINK", keys.phrases, keys.sizes, keys.said)
redis.call("HSET", keys.figures, "bytes", 0)
return freed
