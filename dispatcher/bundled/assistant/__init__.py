"""A stand-in for an LLM made of rules: it shows that the whole pipeline works, in English and Chinese.

It knows the clock, sums, units and a little small talk, owns up to what it does not know, and says once how
a real language model takes its place.
"""
