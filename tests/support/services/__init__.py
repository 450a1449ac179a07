"""Paid services, and Ollama, in software: each speaks its documented dialect, and fails as it is told to."""
