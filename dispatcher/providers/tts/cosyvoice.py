"""DashScope's CosyVoice over WebSocket: one task for each sentence, speech as binary messages.

Source: Model Studio documentation, CosyVoice WebSocket API, client and server events.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from dispatcher.catalogue.model import Instance
from dispatcher.messages import REPLY_RATE_HZ, Language
from dispatcher.providers.dashscope import FINISHED, DashScopeTask, Event
from dispatcher.providers.http import key_of
from dispatcher.providers.protocols import SpeechUsage
from dispatcher.providers.websocket import Socket, SocketProvider, open_socket

COSYVOICE_ANSWER_TIMEOUT_S: Final = 10.0


class CosyVoice(SocketProvider):
    """Calls instances that speak CosyVoice's dialect."""

    def open(self, instance: Instance) -> AbstractAsyncContextManager[Socket]:
        """Connect with the instance's key, which is checked here; no task is begun yet."""
        headers = {"Authorization": f"bearer {key_of(instance)}"}
        return open_socket(self.session, instance, instance.endpoint, headers=headers)

    async def synthesize(
        self, instance: Instance, text: str, language: Language
    ) -> AsyncGenerator[bytes, None]:
        """Yield the speech as it comes; the voice decides the language."""
        del language
        async with self.open(instance) as socket:
            task = DashScopeTask(socket)
            await task.begin(_task(instance), within_s=COSYVOICE_ANSWER_TIMEOUT_S)
            await task.instruct("continue-task", {"input": {"text": text}})
            await task.instruct("finish-task", {"input": {}})
            while True:
                came = await task.receive(within_s=COSYVOICE_ANSWER_TIMEOUT_S)
                if isinstance(came, Event):
                    characters = came.usage("characters")
                    if characters is not None:
                        yield SpeechUsage(characters)
                    if came.name == FINISHED:
                        return
                elif came:
                    yield came


def _task(instance: Instance) -> dict[str, Any]:
    return {
        "task_group": "audio",
        "task": "tts",
        "function": "SpeechSynthesizer",
        "model": instance.model,
        "parameters": {
            "text_type": "PlainText",
            "voice": instance.voice,
            "format": "pcm",
            "sample_rate": REPLY_RATE_HZ,
        },
        "input": {},
    }
