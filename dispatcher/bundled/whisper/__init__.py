"""Speech recognition with whisper-base on the CPU."""
