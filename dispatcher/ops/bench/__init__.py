"""Benches of this machine: `dispatcher bench`. A new one is a file and its command in `cli/bench.py`."""
