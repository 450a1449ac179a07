-- Restore what SQL has of a device; what was written since stays.
--
-- keys     device · devices · memory: of the device
-- args     device_id · seen_ms: when it was seen last · memory: what is remembered of its users, or "" · memory_ttl_s; then
--          fields and values
-- Returns  1

redis.call("ZADD", keys.devices, "NX", args.seen_ms, args.device_id)
for at = FIRST_REST, #ARGV, 2 do redis.call("HSETNX", keys.device, ARGV[at], ARGV[at + 1]) end
redis.call("PERSIST", keys.device)
if args.memory ~= "" and redis.call("HSETNX", keys.memory, "text", args.memory) == 1 then
  redis.call("EXPIRE", keys.memory, args.memory_ttl_s)
end
return 1
