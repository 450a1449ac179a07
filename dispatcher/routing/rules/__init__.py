"""Rules of routing without I/O: hedging, retry budgets, weights and shares; the clock is passed in."""
