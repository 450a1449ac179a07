"""Speech synthesis: hibari for Latin script, espeak-ng for Chinese, both inside one reply."""
