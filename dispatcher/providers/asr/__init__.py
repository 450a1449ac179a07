"""Dialects of speech recognition: one file for each, beside what streams an utterance."""
