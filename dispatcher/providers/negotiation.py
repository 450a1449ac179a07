"""Optional parameters of requests: which of them an instance refuses, learned once from its own refusals.

A refusal that names a parameter is followed, in the same call, by the same request without it (or with its
next form: `verbose_json`, `json`, `text`). Only a request that then succeeds is evidence. What was learned
holds for a day, or until the instance's line in the YAML changes.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

import structlog

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceError, InstanceFailed, InstanceRefused
from dispatcher.providers.refusals import is_about_account

log = structlog.get_logger(__name__)

Piece = TypeVar("Piece")

REFUSED_TTL_S: Final = 24 * 3600.0
_FINGERPRINT_CHARACTERS: Final = 12
# A server that is overloaded, or a proxy before one that is unreachable, is not asked again at once.
_NO_REFUSALS: Final = ("HTTP 502", "HTTP 504", "HTTP 52")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What an instance said about a parameter, and until when that holds (Unix time)."""

    reason: str
    until_s: float


class RefusedParameters:
    """What the instances of one process's catalogue refuse.

    Attributes:
        on_learned: called with the instance's name, its fingerprint, the parameter and the refusal.
    """

    def __init__(self) -> None:
        """Begin with nothing learned."""
        self.on_learned: Callable[[str, str, str, Refusal], None] = _keep_private
        self._refusals: dict[str, dict[str, Refusal]] = {}
        self._fingerprints: dict[str, str] = {}

    def of(self, name: str) -> Mapping[str, Refusal]:
        """Return what an instance refuses now."""
        known = self._refusals.get(name)
        if not known:
            return {}
        now_s = time.time()
        return {parameter: refusal for parameter, refusal in known.items() if refusal.until_s > now_s}

    def learn(
        self,
        instance: Instance,
        parameter: str,
        reason: str,
        *,
        event: str = "parameter refused, no longer sent",
    ) -> None:
        """Take in that an instance refuses a parameter and works without it; `event` says so in the log."""
        refusal = Refusal(reason=reason, until_s=time.time() + REFUSED_TTL_S)
        self._refusals.setdefault(instance.name, {})[parameter] = refusal
        log.warning(event, instance=instance.name, parameter=parameter, reason=reason)
        fingerprint_ = self._fingerprints.get(instance.name) or fingerprint(instance)
        self.on_learned(instance.name, fingerprint_, parameter, refusal)

    def follow(self, instances: Iterable[Instance]) -> None:
        """Forget what was learned of instances whose lines changed, or that left the catalogue."""
        found = {instance.name: fingerprint(instance) for instance in instances}
        for name in [*self._refusals]:
            if self._fingerprints.get(name, found.get(name)) != found.get(name):
                del self._refusals[name]
        self._fingerprints = found

    @property
    def fingerprints(self) -> Mapping[str, str]:
        """Fingerprint of each instance's line, by its name."""
        return self._fingerprints

    def update(self, learned: Mapping[str, Mapping[str, tuple[str, float]]]) -> None:
        """Take in what other processes have learned: reason and end, by instance and parameter."""
        for name, refusals in learned.items():
            known = self._refusals.setdefault(name, {})
            known.update({key: Refusal(reason=each[0], until_s=each[1]) for key, each in refusals.items()})


def fingerprint(instance: Instance) -> str:
    """Return what changes when anything in an instance's line does."""
    line = json.dumps(asdict(instance), sort_keys=True, default=str)
    return hashlib.sha256(line.encode()).hexdigest()[:_FINGERPRINT_CHARACTERS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One form of an optional parameter.

    Attributes:
        label: names it where it is learned and shown.
        fields: what it adds to the request.
        pattern: what a refusal of it says.
    """

    label: str
    fields: Mapping[str, Any]
    pattern: re.Pattern[str]


def parameter(name: str, value: Any, *, words: str = "", shown: bool = False) -> Parameter:
    """Return one form of a parameter.

    Args:
        name: its key in the request.
        value: of the key.
        words: pattern of what a refusal of it says; its name when left out.
        shown: the value belongs to the label: another value may be taken.
    """
    return Parameter(
        label=f"{name}={value}" if shown else name,
        fields={name: value},
        pattern=re.compile(words or rf"\b{re.escape(name)}\b", re.IGNORECASE),
    )


class Negotiation:
    """The optional parameters of one call; each has one form or more, tried in their order."""

    def __init__(
        self,
        refused: RefusedParameters,
        instance: Instance,
        parameters: Sequence[Sequence[Parameter]],
        *,
        guesses: int = 0,
    ) -> None:
        """Begin with what is known of the instance.

        Args:
            refused: what is known, and where it is learned.
            instance: takes the call.
            parameters: the forms of each.
            guesses: so many refusals that name no parameter are taken for one of the first that is sent.
        """
        self.instance = instance
        self._refused = refused
        self._parameters = parameters
        self._guesses = guesses
        self._dropped: dict[str, str] = {}
        self._is_settled = False

    @property
    def fields(self) -> dict[str, Any]:
        """What the next request carries of them."""
        return {key: value for each in self._sent() for key, value in each.fields.items()}

    def sends(self, label: str) -> bool:
        """Return whether the next request has this one."""
        return any(each.label == label for each in self._sent())

    async def run(self, request: Callable[[], AsyncGenerator[Piece, None]]) -> AsyncGenerator[Piece, None]:
        """Yield what a request brings; until it is settled, it is made again without what is refused.

        Args:
            request: makes it with the `fields` of this moment, and calls `accept` once its answer has begun.

        Raises:
            InstanceError: the request failed, and nothing that it carries was refused.
        """
        while True:
            dropped = len(self._dropped)
            try:
                async with aclosing(request()) as pieces:
                    async for piece in pieces:
                        yield piece
            except InstanceError as error:
                if self._is_settled or not self._drop_named(error):
                    raise
            if self._is_settled or dropped == len(self._dropped):
                return

    def drop(self, labels: Iterable[str], reason: str) -> None:
        """Leave these out from now on, where one of them was sent."""
        if any(self.sends(label) for label in labels):
            self._dropped |= dict.fromkeys(labels, reason)

    def settle(self) -> None:
        """Make the request no more: what fails from now on is no refusal."""
        self._is_settled = True

    def accept(self) -> None:
        """Learn what was dropped: the request succeeds without it."""
        self.settle()
        for label, reason in self._dropped.items():
            self._refused.learn(self.instance, label, reason)
        self._dropped.clear()

    def _drop_named(self, error: InstanceError) -> bool:
        """Return whether the request may be made again without what a refusal names, and drop that."""
        if not isinstance(error, InstanceRefused | InstanceFailed) or error.reason.startswith(_NO_REFUSALS):
            return False
        named = [each for each in self._sent() if each.pattern.search(error.said)]
        may_guess = isinstance(error, InstanceRefused) and not is_about_account(error.said)
        if not named and self._guesses and may_guess:
            self._guesses -= 1
            named = self._sent()[:1]
        self._dropped |= {each.label: error.reason for each in named}
        return bool(named)

    def _sent(self) -> list[Parameter]:
        gone = self._refused.of(self.instance.name).keys() | self._dropped.keys()
        firsts = (
            next((each for each in forms if each.label not in gone), None) for forms in self._parameters
        )
        return [each for each in firsts if each is not None]


def _keep_private(name: str, fingerprint_: str, parameter_: str, refusal: Refusal) -> None:
    """Share nothing that this process learns."""
