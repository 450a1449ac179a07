"""Dialects of speech synthesis: one file for each, beside the decoders of what they send."""
