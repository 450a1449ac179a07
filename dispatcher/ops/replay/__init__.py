"""Replay of recorded calls under another algorithm or another YAML, on key prefixes of its own."""
