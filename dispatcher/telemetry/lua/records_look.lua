-- Tell how the stream of records stands; make its group and its count where Redis lost them.
--
-- KEYS     records, records-drained
-- ARGV     the group, a fresh name for the life of the stream
-- Returns  life, entries ever added, entries that were drained, entries in the stream
--
-- What was added, less what was drained and what is there, was trimmed away. The count lives beside the
-- stream, so that both are lost together or not at all.

redis.pcall("XGROUP", "CREATE", KEYS[1], ARGV[1], "0", "MKSTREAM")
local said = redis.call("XINFO", "STREAM", KEYS[1])
local facts = {}
for i = 1, #said, 2 do
  facts[said[i]] = said[i + 1]
end
redis.call("HSETNX", KEYS[2], "life", ARGV[2])
local known = redis.call("HMGET", KEYS[2], "life", "drained")
local drained = tonumber(known[2] or 0)
-- Servers before Redis 7 do not count what was added: nothing can be said of what they trimmed.
local added = facts["entries-added"] or (drained + facts["length"])
return { known[1], added, drained, facts["length"] }
