"""Engines whose times are known exactly and that cost next to nothing: for benchmarks and fault tests."""
