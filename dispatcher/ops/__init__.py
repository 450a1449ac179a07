"""Tools of an operator that are more than one command: benchmarks, chaos tests, checks, replay, backup."""
