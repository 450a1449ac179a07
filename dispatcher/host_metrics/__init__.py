"""Measures of this host, or of its container, and of our processes on it."""
