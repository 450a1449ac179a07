"""The error tree. A class says who can do something about it.

DispatcherError
├── ConfigError              the operator: a file, a key or a variable is wrong
├── StartError               the operator: a part cannot start (port taken, weights missing)
├── UnknownName              the operator: no instance, or no turn, has this name
├── StateError               Redis did not answer in time
├── ActionRefused            the tuner: an action cannot act here and now; the message says why
├── RecordsError             the store of records is out of reach, or refuses what is sent to it
├── BackupError              the operator: a backup cannot be written, is damaged, or does not fit here
├── AudioError               the caller's audio cannot be read
├── ProtocolError            a device sent something the protocol does not know
├── FrontError               the front that a device in software talks to is unreachable, refuses or is silent
├── ToolError                a tool was not called, or did not do it; the LLM is told the message
├── DeadlineExceeded         the turn's time is over; nobody waits for the result
├── TurnCancelled            a barge-in ended the turn (control flow, not a fault)
├── NoInstanceAvailable      no healthy instance, or none free before the deadline
│   ├── BudgetSpent          those that are left are paid, and their budget is spent
│   └── SpareSlotTaken       a real call took the slot of one that was made ahead
└── InstanceError            one call to one instance failed
    ├── InstanceUnreachable  connect error or time-out; retryable
    ├── InstanceFailed       5xx, a broken stream or a nonsense answer; retryable
    ├── InstanceBusy         429 or 503; retryable, elsewhere or later
    ├── InstanceForbidden    401, 402, 403, 404: key, quota, model or path; retryable
    ├── InstanceRefused      other 4xx: a parameter, the model, the context length; retryable
    ├── EmptyReply           a reply without a word; retryable once, counts against nobody
    └── ContentRefused       what the user said is refused (a content filter); not retried, counts
                             against nobody
"""

from __future__ import annotations

import re
from typing import Final, Literal

NO_ANSWER: Final = "no answer in time"
BUDGET_SPENT: Final = "is spent, and no local instance is left"
Origin = Literal["ours", "theirs", "caller"]
# What Python and its libraries write, and the same in plain English; applied from the first to the last.
_PLAIN_WORDS: Final = tuple(
    (re.compile(written), plain)
    for written, plain in (
        (
            r"Cannot connect to host (\S+) ssl:(?:<[^>]*>|\S+) \[(.*?)\](?=$|;|,| \()",
            r"cannot connect to \1: \2",
        ),
        (r"Multiple exceptions: ", ""),
        (r"Error -?\d+ connecting to (\S+)\. ", r"cannot connect to \1: "),
        (
            r"\[Errno (?:101|113|51|65)\] Connect call failed \('([^']+)', (\d+)[^)]*\)",
            r"no way leads to \1:\2",
        ),
        (
            r"(?:\[?Errno -?\d+\]? )?Connect call failed \('([^']+)', (\d+)[^)]*\)",
            r"nothing answers at \1:\2",
        ),
        (
            (
                r"(?:\[Errno -?\d+\] )?(?:Name or service not known|No address associated with hostname"
                r"|nodename nor servname provided, or not known|getaddrinfo failed)"
            ),
            "no host of that name is known",
        ),
        (
            r"(?:\[Errno -?\d+\] )?Temporary failure in name resolution",
            "its name cannot be looked up (DNS)",
        ),
        (r"\bSSL(?:CertVerification)?Error: \(\d+, '(.*?)'\)", r"\1"),
        (r"\[SSL: CERTIFICATE_VERIFY_FAILED\] certificate verify failed", "its certificate is not trusted"),
        (
            r"\[SSL: (?:WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE)\] [^(\]]*?(?= ?\(_ssl|\]|$)",
            "it speaks no TLS; is http:// or ws:// meant?",
        ),
        (r"\[(?:SSL|X509|PEM)(?:: [A-Z0-9_]+)?\] ", "TLS: "),
        (r" ?\(_ssl\.c:\d+\)", ""),
        (
            (
                r"'([\w-]+)' codec can't (?:decode|encode) .*? in position [\d-]+: "
                r"(?:[a-z ]+\(\d+\)|[^;,)\n]*)"
            ),
            r"not readable as \1 text",
        ),
        (
            r"Expecting (?:value|property name[^:]*|'.' delimiter): (line \d+) (column \d+) \(char \d+\)",
            r"no JSON from \1, \2 on",
        ),
        (r"cannot connect to (\S+): nothing answers at \1", r"nothing answers at \1"),
        (
            r"\[Errno -?\d+\] ?|\((?:sqlite3|pymysql\.err)\.\w+\) |\s*\(Background on this error at: \S+\)",
            "",
        ),
    )
)
# Most texts have none of it, which one look tells.
_JARGON: Final = re.compile(
    r"Errno|Cannot connect|connecting to|Connect call|exceptions:|ervice not known|servname|hostname"
    r"|getaddrinfo|name resolution|SSL|ssl\.c|X509|PEM|codec can|Expecting|\(sqlite3|\(pymysql|Background on"
)
_CAMEL_CASE: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def without_jargon(text: str) -> str:
    """Return a text with the words of Python and its libraries in plain English."""
    if not _JARGON.search(text):
        return text
    for written, plain in _PLAIN_WORDS:
        text = written.sub(plain, text)
    return text


def in_words(error: BaseException) -> str:
    """Return what an error says of itself in plain English, never nothing: a time-out has no words."""
    if said := without_jargon(str(error)).strip():
        return said
    if isinstance(error, TimeoutError):
        return NO_ANSWER
    if isinstance(error, EOFError):
        return "it ended too early"
    return _CAMEL_CASE.sub(" ", type(error).__name__).lower().removesuffix(" error")


class DispatcherError(Exception):
    """The root of every error that this project raises on purpose; its text is for people."""

    def __init__(self, *said: object) -> None:
        """Keep the text without the words of Python and its libraries."""
        super().__init__(*(without_jargon(each) if isinstance(each, str) else each for each in said))


class ConfigError(DispatcherError):
    """One or more settings are wrong; `problems` holds one readable line for each."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the problems; the message is all of them, a line each."""
        self.problems = [without_jargon(problem) for problem in problems]
        super().__init__("\n".join(self.problems))


class StartError(DispatcherError):
    """A part of the system cannot start; the message says which, why and what to do."""


class UnknownName(DispatcherError):
    """The operator named an instance or a turn that is not known; the message says what is."""


class StateError(DispatcherError):
    """Redis is out of reach or refused a command."""


class ActionRefused(DispatcherError):
    """An action of the tuner cannot act, or did not: nobody answers, or its target is gone."""


class RecordsError(DispatcherError):
    """The store of records is unreachable, locked or of another version; no message holds the password."""


class BackupError(DispatcherError):
    """A backup cannot be written or put back; the message says whether anything was changed."""


class AudioError(DispatcherError):
    """Audio that cannot be decoded or has the wrong shape."""


class ProtocolError(DispatcherError):
    """A message or frame that breaks the device protocol."""


class FrontError(DispatcherError):
    """A device in software got no answer; the message says which address and what to do."""


class ToolError(DispatcherError):
    """A tool cannot be called, does not answer or fails; the message is for the LLM, which goes on."""


class DeadlineExceeded(DispatcherError):
    """The deadline of the turn passed before the work was done."""


class TurnCancelled(DispatcherError):
    """The user spoke over the reply; what is under way for the turn ends now."""


class NoInstanceAvailable(DispatcherError):
    """No instance of a service could take the call before its deadline."""

    def __init__(self, service: str, reason: str) -> None:
        """Remember which service, and why (one of `none healthy`, `all full`, `none configured`)."""
        super().__init__(f"no {service} instance can take the call: {reason}")
        self.service = service
        self.reason = reason


class BudgetSpent(NoInstanceAvailable):
    """The instances that are left to a call are paid, and their budget is spent."""

    def __init__(self, service: str, budget: str) -> None:
        """Remember which service, and which budget."""
        super().__init__(service, f"budget {budget} {BUDGET_SPENT}")
        self.budget = budget


class SpareSlotTaken(NoInstanceAvailable):
    """A call on a spare slot had begun, and a real call took the slot."""

    def __init__(self, service: str) -> None:
        """Remember which service."""
        super().__init__(service, "a real call took its slot")


class InstanceError(DispatcherError):
    """A call to an instance failed.

    Attributes:
        instance: name of the instance.
        retryable: another instance may succeed where this one failed.
        counts: the call counts as failed in the instance's health.
        origin: whose fault it is: the instance's ("theirs"), a setting's ("ours") or the user's ("caller").
        retry_after_s: how long the instance asked to be left alone, when it said so.
        said: beginning of the refusal as it was sent, of which the reason shows a part; empty for an empty
            answer, and the reason where that is all there is.
    """

    retryable = True
    counts = True
    origin: Origin = "theirs"

    def __init__(
        self, instance: str, reason: str, *, retry_after_s: float | None = None, said: str | None = None
    ) -> None:
        """Remember the instance; the message names it and the reason."""
        reason = without_jargon(reason)
        super().__init__(f"{instance}: {reason}")
        self.instance = instance
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.said = reason if said is None else said


class InstanceUnreachable(InstanceError):
    """The instance did not accept the connection or did not answer in time."""


class InstanceFailed(InstanceError):
    """The instance answered with 5xx, broke its stream, or answered nonsense."""


class InstanceBusy(InstanceError):
    """The instance said 429 or 503: it works, but not now."""


class InstanceForbidden(InstanceError):
    """The instance knows us, the model or the path not; the operator has to look at its line."""

    origin: Origin = "ours"


class InstanceRefused(InstanceError):
    """The instance refused the request (4xx): a parameter, its model or the length of the dialogue."""

    origin: Origin = "ours"


class EmptyReply(InstanceError):
    """An LLM instance ended its reply without a word of text."""

    counts = False


class ContentRefused(InstanceError):
    """The instance refused what the user said, or what it was about to answer; others would as well."""

    retryable = False
    counts = False
    origin: Origin = "caller"
