"""Bundled instances: ASR, LLM and TTS servers of the OpenAI HTTP dialect, one process each.

They make the whole system run on one machine without a download, a key or a GPU; the timed engines
among them make it measurable. They are servers like any other and know nothing of the dispatcher.
"""
