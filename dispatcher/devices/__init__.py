"""Devices: registry and operator commands."""
