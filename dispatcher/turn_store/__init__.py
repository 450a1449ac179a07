"""Data of a turn on its way through Redis: utterance audio, utterance stream and replies."""
