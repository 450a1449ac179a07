"""Written text as speech: markup is left out, and numbers become words.

Pure, and shared by the workers and the built-in voices. The package imports nothing: its patterns take a
tenth of a second of CPU, and a process that only tells Chinese from English wants `speech_text.cjk` alone.
"""
