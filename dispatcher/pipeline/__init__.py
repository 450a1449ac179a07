"""Stages of a turn in a worker: ASR, LLM and TTS calls, hedged over instances; no Celery in here."""
