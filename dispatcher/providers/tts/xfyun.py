"""iFlytek (xfyun) speech over WebSocket, "online TTS, streaming": a signed address, JSON with base64.

Source: xfyun.cn/doc/tts/online_tts/API.html.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing
from email.utils import formatdate
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from dispatcher.catalogue.model import Instance
from dispatcher.errors import (
    ContentRefused,
    InstanceBusy,
    InstanceError,
    InstanceFailed,
    InstanceForbidden,
)
from dispatcher.messages import Language
from dispatcher.providers.http import SHOWN_BYTES, key_of, secret_of
from dispatcher.providers.tts.speech_decoder import Form, decoded
from dispatcher.providers.websocket import Socket, SocketProvider, open_socket

XFYUN_ANSWER_TIMEOUT_S: Final = 10.0
# The service has 16 and 8 kHz, no 24.
SAMPLE_RATE_HZ: Final = 16_000
DEFAULT_VOICE: Final = "xiaoyan"
_LAST: Final = 2
# Whose fault a code is; the others are the service's own troubles.
_ERRORS: Final[dict[int, type[InstanceError]]] = {
    # app_id, key, voice or licence
    **dict.fromkeys((10005, 10006, 10007, 10105, 10106, 10107, 10110), InstanceForbidden),
    **dict.fromkeys((10160, 10163, 10313, 10317, 11200), InstanceForbidden),
    # licences in use, calls of today, per second, at once
    **dict.fromkeys((10010, 11201, 11202, 11203), InstanceBusy),
    # the text is too long
    10109: ContentRefused,
}


class Xfyun(SocketProvider):
    """Calls instances that speak iFlytek's dialect."""

    def open(self, instance: Instance) -> AbstractAsyncContextManager[Socket]:
        """Connect to the signed address; no quota is used for that."""
        return open_socket(self.session, instance, signed_url(instance, at_s=time.time()))

    async def synthesize(
        self, instance: Instance, text: str, language: Language
    ) -> AsyncGenerator[bytes, None]:
        """Yield the speech as it comes; the voice decides the language."""
        del language
        form = Form(kind="pcm", sample_rate_hz=SAMPLE_RATE_HZ, certain=True)
        async with aclosing(decoded(instance, self._pieces(instance, text), form)) as speech:
            async for pcm in speech:
                yield pcm

    async def _pieces(self, instance: Instance, text: str) -> AsyncGenerator[bytes, None]:
        async with self.open(instance) as socket:
            await socket.send_object(_request(instance, text))
            while True:
                answer = await socket.receive_object(within_s=XFYUN_ANSWER_TIMEOUT_S)
                piece, last = _audio(instance, answer)
                if piece:
                    yield piece
                if last:
                    return


def signed_url(instance: Instance, *, at_s: float) -> str:
    """Return the address of a call, signed for a Unix time; the service takes five minutes more or less.

    Raises:
        InstanceForbidden: key or secret is not here.
    """
    parts = urlsplit(instance.endpoint)
    date = formatdate(at_s, usegmt=True)
    signed = f"host: {parts.netloc}\ndate: {date}\nGET {parts.path} HTTP/1.1"
    digest = hmac.new(secret_of(instance).encode(), signed.encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode()
    authorization = (
        f'api_key="{key_of(instance)}", algorithm="hmac-sha256", '
        f'headers="host date request-line", signature="{signature}"'
    )
    query = {
        "authorization": base64.b64encode(authorization.encode()).decode(),
        "date": date,
        "host": parts.netloc,
    }
    return f"{instance.endpoint}?{urlencode(query)}"


def _request(instance: Instance, text: str) -> dict[str, Any]:
    return {
        "common": {"app_id": instance.app_id},
        "business": {
            "aue": "raw",
            "auf": f"audio/L16;rate={SAMPLE_RATE_HZ}",
            "vcn": instance.voice or DEFAULT_VOICE,
            "tte": "UTF8",
        },
        "data": {"status": _LAST, "text": base64.b64encode(text.encode()).decode()},
    }


def _audio(instance: Instance, answer: dict[str, Any]) -> tuple[bytes, bool]:
    """Return the speech of one answer, which may hold none, and whether it is the last."""
    code = answer.get("code")
    if code != 0:
        kind = _ERRORS.get(code, InstanceFailed) if isinstance(code, int) else InstanceFailed
        said = f"code {code!r}: {answer.get('message')!r} (sid {answer.get('sid')!r})"
        raise kind(instance.name, said[:SHOWN_BYTES])
    data = answer.get("data") or {}
    try:
        piece = base64.b64decode(data.get("audio") or "", validate=True)
        return piece, data.get("status") == _LAST
    except (AttributeError, TypeError, ValueError, binascii.Error) as error:
        raise InstanceFailed(instance.name, f"audio is no base64: {data!r:.{SHOWN_BYTES}}") from error
