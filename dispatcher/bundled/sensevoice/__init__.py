"""Speech recognition with SenseVoice, by the library of sherpa-onnx (the extra `sensevoice`)."""
