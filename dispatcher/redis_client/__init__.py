"""Access to Redis: one pipelined client per event loop, pub/sub, scripts, and the register of all keys."""
