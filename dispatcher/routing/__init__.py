"""Choice of the instance that takes a call: router, leases, health and weights in Redis, operator actions."""
