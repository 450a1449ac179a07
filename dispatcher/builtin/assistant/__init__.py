"""A small assistant made of rules: it shows that the whole pipe works, in English and Chinese.

It knows the clock, sums, units, timers, a few stories and some small talk, and says how a real
language model takes its place.
"""
