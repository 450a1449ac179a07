"""Speech synthesis: a voice for Latin script and one for Chinese, both inside one reply."""
