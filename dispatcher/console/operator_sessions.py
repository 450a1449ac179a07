"""Sessions of operators who signed in, and the limit on tries of the password."""

from __future__ import annotations

import hmac
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

SESSION_S: Final = 12 * 3600.0
MAX_SESSIONS: Final = 50
TRIES_WINDOW_S: Final = 60.0
# Wrong passwords within a minute, from one address and from all together.
MAX_TRIES_PER_ADDRESS: Final = 5
MAX_TRIES: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSession:
    """One operator in one browser.

    Attributes:
        name: what the operator calls himself; the password is the same for all.
        csrf: token that the page sends with each action.
    """

    name: str
    ends_at_s: float
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)


class TooManyTriesError(Exception):
    """Passwords are not looked at for a while."""


class OperatorSessions:
    """Sessions of one console; they end with it."""

    def __init__(self, password: str, *, now: Callable[[], float] = time.monotonic) -> None:
        """Let in who knows the password."""
        self._password = password.encode()
        self._now = now
        self._sessions: dict[str, OperatorSession] = {}
        self._wrong: deque[tuple[float, str | None]] = deque()

    def try_sign_in(self, password: str, *, name: str, address: str | None) -> OperatorSession | None:
        """Return a new session; None for a wrong password.

        Args:
            password: as it was typed.
            name: what the operator calls himself.
            address: where tries are counted; None for this host, which the tries of others do not lock out.

        Raises:
            TooManyTriesError: too many were wrong within the last minute.
        """
        now_s = self._now()
        while self._wrong and now_s - self._wrong[0][0] > TRIES_WINDOW_S:
            self._wrong.popleft()
        of_address = sum(where == address for _, where in self._wrong)
        is_over = address is not None and len(self._wrong) >= MAX_TRIES
        if of_address >= MAX_TRIES_PER_ADDRESS or is_over:
            raise TooManyTriesError
        # JSON may hold half a surrogate pair, which is no text that could be encoded otherwise.
        if not hmac.compare_digest(password.encode(errors="surrogatepass"), self._password):
            self._wrong.append((now_s, address))
            return None
        while len(self._sessions) >= MAX_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))
        session = OperatorSession(name=name, ends_at_s=now_s + SESSION_S)
        self._sessions[session.token] = session
        return session

    def find(self, token: str) -> OperatorSession | None:
        """Return the session of a cookie while it lasts."""
        session = self._sessions.get(token)
        if session is not None and self._now() >= session.ends_at_s:
            del self._sessions[token]
            return None
        return session

    def end(self, token: str) -> None:
        """Sign out."""
        self._sessions.pop(token, None)
