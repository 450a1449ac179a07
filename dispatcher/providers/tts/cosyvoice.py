"""DashScope's CosyVoice over WebSocket: one task for each sentence, speech as binary messages.

Source: Model Studio documentation, CosyVoice WebSocket API, client and server events.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Final

import aiohttp

from dispatcher.catalogue.model import Instance
from dispatcher.messages import REPLY_RATE_HZ, Language
from dispatcher.providers.dashscope import FINISHED, Event, open_task
from dispatcher.providers.protocols import LoadReport

ANSWER_TIMEOUT_S: Final = 10.0


class CosyVoice:
    """Calls instances that speak CosyVoice's dialect."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """Use the session of the running loop; the caller closes it."""
        self._session = session

    async def synthesize(
        self, instance: Instance, text: str, language: Language
    ) -> AsyncGenerator[bytes, None]:
        """Yield the speech as it comes; the voice decides the language."""
        del language
        async with open_task(self._session, instance) as task:
            await task.begin(_task(instance), within_s=ANSWER_TIMEOUT_S)
            await task.instruct("continue-task", {"input": {"text": text}})
            await task.instruct("finish-task", {"input": {}})
            while True:
                came = await task.receive(within_s=ANSWER_TIMEOUT_S)
                if isinstance(came, Event):
                    if came.name == FINISHED:
                        return
                elif came:
                    yield came

    async def check(self, instance: Instance) -> LoadReport:
        """Return nothing, once the service has taken our key; no task is begun for that."""
        async with open_task(self._session, instance):
            return LoadReport()


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
