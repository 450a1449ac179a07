"""Dialects of chat: one file for each, beside the reader of what their streams hold."""
