"""Chaos test of a running stack: `dispatcher verify`."""
