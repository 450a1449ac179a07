"""Rules of balancing that need no Redis: pure functions and small counters, the clock passed in."""
