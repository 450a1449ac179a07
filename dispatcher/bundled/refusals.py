"""Refusing a request in the dialect's own words: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

import json
from typing import Final, Self

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import ValidationError

from dispatcher.errors import DispatcherError

log = structlog.get_logger(__name__)


# Enough of a wrong value to recognise it.
SHOWN_CHARACTERS: Final = 60
BUSY_RETRY_S: Final = 1
# What was expected, where pydantic's own words are about its insides.
_EXPECTED: Final = {
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
}


class RequestRefused(DispatcherError):
    """A request that is not served; the caller hears why.

    Attributes:
        status: 4xx for a wrong request, 503 while loading or full, 500 for a failure.
        param: the field that is wrong.
        code: a word for programs.
    """

    def __init__(
        self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None
    ) -> None:
        """Remember what the answer says."""
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code

    @classmethod
    def field(cls, name: str, was: object, expected: str) -> Self:
        """Return the refusal of one field: its name, what it was, what was expected."""
        return cls(f"{name} was {shown(was)}; expected {expected}", param=name, code="invalid_value")

    @classmethod
    def busy(cls, message: str) -> Self:
        """Return the refusal of a request that may be sent again in a moment."""
        return cls(message, status=503, code="busy")


def shown(value: object) -> str:
    """Return a value as it is shown in a message, cut to a bearable length."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


def refusal_of(error: ValidationError) -> RequestRefused:
    """Return the refusal for the first thing that pydantic found wrong."""
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"] if not str(part).startswith("list["))
    if first["type"] == "missing":
        return RequestRefused(f"{name} is missing", param=name, code="missing")
    if first["type"] == "json_invalid":
        return RequestRefused(f"the body is no JSON: {first['ctx']['error']}", code="invalid_json")
    known = _EXPECTED.get(first["type"])
    expected = known.format(**first["ctx"]) if known else first["msg"].removeprefix("Input should be ")
    return RequestRefused.field(name or "body", first["input"], expected)


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into an answer of the dialect; only the log sees a traceback."""
    try:
        return await handler(request)
    except RequestRefused as refusal:
        return _answer(refusal)
    except web.HTTPRequestEntityTooLarge as error:
        return _answer(RequestRefused(_too_large(error), status=413, code="too_large"))
    except web.HTTPException as error:
        wrong = RequestRefused(f"{error.reason}: {request.method} {request.path}", status=error.status)
        return _answer(wrong, headers={"Allow": error.headers["Allow"]} if "Allow" in error.headers else {})
    except ConnectionError:
        # The caller is gone; there is nobody to answer.
        raise
    except Exception:
        log.exception("request failed", path=request.path)
        return _answer(RequestRefused("the instance failed; its log says why", status=500))


def _too_large(error: web.HTTPRequestEntityTooLarge) -> str:
    return f"the body is too large: {error.text}"


def _answer(refusal: RequestRefused, headers: dict[str, str] | None = None) -> web.Response:
    kind = "invalid_request_error" if refusal.status < 500 else "server_error"
    error = {"message": str(refusal), "type": kind, "param": refusal.param, "code": refusal.code}
    answer = web.json_response({"error": error}, status=refusal.status, headers=headers)
    if refusal.status == 503:
        answer.headers["Retry-After"] = str(BUSY_RETRY_S)
    return answer
