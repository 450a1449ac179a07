"""Audio as the dispatcher handles it: PCM and WAV, Opus, packed packets, voice activity.

PCM without further word is s16le mono: signed 16-bit little-endian samples, one channel.
"""
