"""Clients of model servers: one file for each wire dialect, in `asr`, `llm` or `tts` by what it serves.

`protocols` is what the stages of a turn call; `http`, `websocket` and `event_stream` carry the dialects;
`negotiation` leaves out what an instance refuses; `refusals` decides whose fault an answer is.
`openai_http` and `dashscope` hold what their dialects share across services.

A new provider, here for a TTS service called NAME:

1. `tts/NAME.py`: a class with `synthesize` and `check`, as `TtsProvider` in `protocols.py` says.
   `tts/xfyun.py` is a short example over a WebSocket, `tts/openai_speech.py` one over HTTP.
2. `registry.py`: its line in `CLASSES`.
3. `dispatcher/catalogue/dialects.py`: its line in `DIALECTS`: services, schemes, the keys that it needs.
4. `tests/support/services/NAME.py`, the service in software, and `tests/unit/providers/tts/test_NAME.py`.
5. `docs/providers/NAME.md`, and its row in `docs/providers/README.md`.
"""
