"""Audio as the dispatcher handles it: PCM and WAV, Opus, packed packets, voice activity.

PCM without further word is s16le mono: signed 16-bit little-endian samples, one channel.
"""

from __future__ import annotations

from typing import Final

# Sound that the model of finished sentences takes. Here, for a front that keeps it and needs no numpy yet.
JUDGED_S: Final = 8
