"""Errors of requests in the form of the dialect: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

import json
from typing import Final, Self, TypeVar

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ValidationError

from dispatcher.errors import DispatcherError

Model = TypeVar("Model", bound=BaseModel)

log = structlog.get_logger(__name__)

# Enough of a wrong value to recognise it.
SHOWN_CHARACTERS: Final = 60
BUSY_RETRY_AFTER_S: Final = 1
# What was expected, where pydantic's own words are about its insides.
_EXPECTED: Final = {
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
}


class RequestError(DispatcherError):
    """A request that is not served; the answer says why.

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
        """Return the error of one field: its name, what it was, what was expected."""
        return cls(f"{name} was {shown(was)}; expected {expected}", param=name, code="invalid_value")

    @classmethod
    def busy(cls, message: str) -> Self:
        """Return the error of a request that may be sent again in a moment."""
        return cls(message, status=503, code="busy")


def shown(value: object) -> str:
    """Return a value as it is shown in a message, cut to a bearable length."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


def read_model(model: type[Model], data: bytes | dict[str, str]) -> Model:
    """Return a body of JSON, or the fields of a form, as the model.

    Raises:
        RequestError: for the first thing that pydantic finds wrong.
    """
    try:
        return model.model_validate_json(data) if isinstance(data, bytes) else model.model_validate(data)
    except ValidationError as error:
        raise _first_error(error) from error


def _first_error(error: ValidationError) -> RequestError:
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"] if not str(part).startswith("list["))
    if first["type"] == "missing":
        return RequestError(f"{name} is missing", param=name, code="missing")
    if first["type"] == "json_invalid":
        return RequestError(f"the body is no JSON: {first['ctx']['error']}", code="invalid_json")
    known = _EXPECTED.get(first["type"])
    expected = known.format(**first["ctx"]) if known else first["msg"].removeprefix("Input should be ")
    return RequestError.field(name or "body", first["input"], expected)


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into an answer of the dialect; only the log sees a traceback."""
    try:
        return await handler(request)
    except RequestError as error:
        return _answer(error)
    except web.HTTPRequestEntityTooLarge as error:
        return _answer(RequestError(f"the body is too large: {error.text}", status=413, code="too_large"))
    except web.HTTPException as error:
        wrong = RequestError(f"{error.reason}: {request.method} {request.path}", status=error.status)
        return _answer(wrong, headers={"Allow": error.headers["Allow"]} if "Allow" in error.headers else {})
    except Exception as error:
        if not isinstance(error, ConnectionError) or not has_disconnected(request):
            log.exception("request failed", path=request.path)
        return _answer(RequestError("the instance failed; its log says why", status=500))


def has_disconnected(request: web.Request) -> bool:
    """Return whether the caller has: aiohttp cancels a handler a moment later, and logs what it raises."""
    return request.transport is None or request.transport.is_closing()


def _answer(error: RequestError, headers: dict[str, str] | None = None) -> web.Response:
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    body = {"message": str(error), "type": kind, "param": error.param, "code": error.code}
    answer = web.json_response({"error": body}, status=error.status, headers=headers)
    if error.status == 503:
        answer.headers["Retry-After"] = str(BUSY_RETRY_AFTER_S)
    return answer
