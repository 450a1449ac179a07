"""Dialogue of a device in Redis: recent history and long-term memory."""
