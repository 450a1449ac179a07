-- State of the stream of records; make its group and its count where Redis lost them.
--
-- keys     records · drained
-- args     group · fresh_life: a name for the life of the stream where it has none
-- Returns  life, entries ever added, entries that were drained, entries in the stream
--
-- What was added, less what was drained and what is there, was trimmed away. The count lives beside the
-- stream, so that both are lost together or not at all.

redis.pcall("XGROUP", "CREATE", keys.records, args.group, "0", "MKSTREAM")
local info = redis.call("XINFO", "STREAM", keys.records)
local facts = {}
for i = 1, #info, 2 do
  facts[info[i]] = info[i + 1]
end
redis.call("HSETNX", keys.drained, "life", args.fresh_life)
local known = redis.call("HMGET", keys.drained, "life", "drained")
local drained = tonumber(known[2] or 0)
-- Servers before Redis 7 do not count what was added: nothing can be said of what they trimmed.
local added = facts["entries-added"] or (drained + facts["length"])
return { known[1], added, drained, facts["length"] }
