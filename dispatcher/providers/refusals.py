"""Refusals of model servers: whose fault an answer is, by its status, its codes and its words.

A content filter says so under many names; each is of a service's own documents or of a public report.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

from dispatcher.bounded_json import read_json
from dispatcher.catalogue.model import Instance
from dispatcher.errors import (
    ContentRefused,
    InstanceBusy,
    InstanceError,
    InstanceFailed,
    InstanceForbidden,
    InstanceRefused,
)

REFUSAL_CHARACTERS: Final = 200
NO_HEADERS: Final[Mapping[str, str]] = {}
_SAYING: Final = ("message", "detail", "status", "msg", "error_msg")
# Of thousands of digits Python makes no number.
_STATUS: Final = re.compile(r"\d{3}", re.ASCII)
_TOO_BUSY: Final = (429, 503)
_FORBIDDEN: Final = (401, 402, 403, 404)
# OpenAI and Azure; DashScope; DeepSeek; Gemini; Volcano Ark; Zhipu 1301; MiniMax; Moonshot; Anthropic; xAI.
_CONTENT_WORDS: Final = re.compile(
    r"content_filter|content_policy_violation|ResponsibleAIPolicyViolation|content management policy"
    r"|moderation_blocked|safety system|violating our usage policy|violates? (our )?usage (guidelines|polic)"
    r"|data_?inspection_?failed|inappropriate content|content exists risk|PROHIBITED_CONTENT"
    r"|blocked by content filter|content filtering policy|considered high risk"
    r"|sensitive_?content|new_sensitive|\"blockReason\"|flagged by moderation|requires moderation"
    r"|敏感内容|敏感信息|不安全或敏感|违规内容|内容不合规",
    re.IGNORECASE,
)
_CONTENT_CODES: Final = frozenset({"1301", "SAFETY", "BLOCKLIST", "SPII", "content_filter", "sensitive"})
_ACCOUNT_WORDS: Final = re.compile(
    r"insufficient.{0,12}(balance|quota|credit|fund)|arrearage|overdue|余额|欠费|exceeded your current quota"
    r"|(invalid|incorrect|missing|no) api.?key|api.?key.{0,20}(invalid|expired)|unauthori[sz]ed"
    r"|model.{0,80}(not found|not exist|does not exist|不存在)|no (such )?model",
    re.IGNORECASE,
)
# As streams say why they ended.
FILTERED_ENDS: Final = frozenset(
    {"content_filter", "sensitive", "safety", "prohibited_content", "blocklist", "spii", "recitation"}
)


def in_plain_words(said: str) -> str:
    """Return what an answer says for a person to read: the message in its JSON, else its text on one line."""
    try:
        answer = read_json(said)
    except ValueError:
        answer = None
    # Gemini wraps its error in a list.
    answer = answer[0] if isinstance(answer, list) and answer and isinstance(answer[0], dict) else answer
    found = answer if isinstance(answer, dict) else {}
    error = found.get("error")
    candidates = (error, _from(error, "message"), _details(found.get("detail")), *map(found.get, _SAYING))
    words = next((each for each in candidates if isinstance(each, str) and each), said)
    return " ".join(words.split())[:REFUSAL_CHARACTERS]


def _details(detail: Any) -> str:
    """Return what FastAPI has against fields, a field after the other."""
    entries = [each for each in detail if isinstance(each, dict)] if isinstance(detail, list) else []
    return "; ".join(f"{_dotted(each.get('loc'))}: {each.get('msg')}" for each in entries)


def _dotted(place: Any) -> str:
    return ".".join(map(str, place)) if isinstance(place, list) else str(place or "")


def is_about_account(said: str) -> bool:
    """Return whether a refusal is about the key, the balance or the model."""
    return bool(_ACCOUNT_WORDS.search(said))


def status_error(
    instance: Instance, status: int, said: str, headers: Mapping[str, str] = NO_HEADERS
) -> InstanceError:
    """Return the InstanceError that a status which is no success means, with what was said beside it."""
    reason = f"HTTP {status}: {in_plain_words(said)}"
    if is_about_content(said):
        return ContentRefused(instance.name, reason, said=said)
    if status in _TOO_BUSY:
        return InstanceBusy(instance.name, reason, retry_after_s=_retry_after_s(headers), said=said)
    if status in _FORBIDDEN:
        return InstanceForbidden(instance.name, reason, said=said)
    if 400 <= status < 500:
        return InstanceRefused(instance.name, reason, said=said)
    return InstanceFailed(instance.name, reason, said=said)


def error_in_answer(instance: Instance, error: Any) -> InstanceError:
    """Return the InstanceError that an `error` means in an answer under HTTP 200, whole or in a stream."""
    said = json.dumps({"error": error}, ensure_ascii=False, default=str)
    status = _status_in(error)
    if status is not None:
        return status_error(instance, status, said)
    reason = f"the answer said {in_plain_words(said)!r}"
    if is_about_content(said):
        return ContentRefused(instance.name, reason, said=said)
    kind = InstanceForbidden if is_about_account(said) else InstanceFailed
    return kind(instance.name, reason, said=said)


def is_about_content(said: str) -> bool:
    """Return whether a refusal is about what the user said, not about the instance."""
    # As it was sent for its codes, and decoded for words that JSON escapes.
    if _CONTENT_WORDS.search(said) or _CONTENT_WORDS.search(in_plain_words(said)):
        return True
    return not _CONTENT_CODES.isdisjoint(_codes(said))


def _codes(said: str) -> set[str]:
    """Return the codes in a refusal's JSON, as text."""
    try:
        answer = read_json(said)
    except ValueError:
        return set()
    parts = [answer, _from(answer, "error"), _from(_from(answer, "error"), "innererror")]
    values = [_from(part, key) for part in parts for key in ("code", "type", "status", "reason")]
    return {str(value) for value in values if isinstance(value, str | int)}


def _status_in(error: Any) -> int | None:
    """Return the HTTP status that an error carries as its code, as proxies send it."""
    for key in ("code", "status", "status_code"):
        value = _from(error, key)
        if isinstance(value, str) and _STATUS.fullmatch(value):
            value = int(value)
        if isinstance(value, int) and 400 <= value < 600:
            return value
    return None


def _from(part: Any, key: str) -> Any:
    return part.get(key) if isinstance(part, dict) else None


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After, which is a number of them or a date (RFC 9110)."""
    value = headers.get("Retry-After", "")
    if value.isascii() and value.isdigit():
        return float(value)
    until, now = _at_s(value), _at_s(headers.get("Date", "")) or time.time()
    return until - now if until is not None and until > now else None


def _at_s(date: str) -> float | None:
    """Return the Unix time of a date as HTTP writes it; None where it is none."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
