"""Clients of model servers: one file for each wire dialect, all behind the same Protocols."""
