"""Calls of the last turns, as the stream of decisions has them: hedges, retries, and what was in vain."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from dispatcher.routing.rules.constants import FAILED_THIS_CALL, PROBE_REASON

PickKind = Literal["call", "probe", "hedge", "retry"]


class SeenCall(NamedTuple):
    """What an entry of the stream means.

    Attributes:
        kind: of a pick; "" where its call is not known.
        is_wasted: an end whose result nobody used: it failed, was given up, or came after that of its hedge.
    """

    kind: PickKind | Literal["end", ""]
    service: str = ""
    is_wasted: bool = False


NOT_SEEN: Final = SeenCall("")
# Ends whose instance time was for nothing; a probe shows how the instance does.
_IN_VAIN: Final = ("failed", "ignored")

# So many stages of turns are remembered; a turn lasts 20 s, and fifty devices begin a few a second.
MAX_STAGES: Final = 2_000
_EXCLUDED: Final = f" {FAILED_THIS_CALL}"


class _Call(NamedTuple):
    """A call that was picked."""

    turn_id: str
    service: str
    instance: str


class CallHistory:
    """What became of the calls of a turn's stage so far, by instance."""

    def __init__(self) -> None:
        """Remember nothing."""
        self._leases: OrderedDict[str, _Call] = OrderedDict()
        self._stages: OrderedDict[tuple[str, str], dict[str, str]] = OrderedDict()
        # The other lease of a hedged call; "" once that has won.
        self._rivals: OrderedDict[str, str] = OrderedDict()

    def observe(self, fields: Mapping[str, str]) -> SeenCall:
        """Remember an entry of the stream, and return what it means."""
        if "outcome" in fields:
            return self._end(fields)
        is_pick = {"turn", "service", "instance", "lease"} <= fields.keys()
        return self._pick(fields) if is_pick else NOT_SEEN

    def _pick(self, fields: Mapping[str, str]) -> SeenCall:
        call, lease = _Call(fields["turn"], fields["service"], fields["instance"]), fields["lease"]
        known = self._stages.setdefault(call[:2], {})
        kind = _kind_of(fields, known)
        if kind == "hedge":
            self._pair(call, lease)
        if kind != "probe":
            known[call.instance] = "under way"
        self._leases[lease] = call
        for held in (self._leases, self._stages, self._rivals):
            while len(held) > MAX_STAGES:
                held.popitem(last=False)
        return SeenCall(kind, call.service)

    def _pair(self, call: _Call, lease: str) -> None:
        """Remember beside which call of its stage a hedge is made: the last one that has not ended."""
        others = (other for other, known in reversed(self._leases.items()) if known[:2] == call[:2])
        late = next(others, None)
        if late is not None:
            self._rivals |= {late: lease, lease: late}

    def _end(self, fields: Mapping[str, str]) -> SeenCall:
        lease, outcome = fields["lease"], fields["outcome"]
        call = self._leases.pop(lease, None)
        if call is None:
            return NOT_SEEN
        known = self._stages.get(call[:2], {})
        if known.get(call.instance) == "under way":
            known[call.instance] = outcome
        rival = self._rivals.pop(lease, None)
        if rival and outcome == "ok":
            self._rivals[rival] = ""
        return SeenCall("end", call.service, is_wasted=outcome in _IN_VAIN or rival == "")


def _kind_of(fields: Mapping[str, str], known: Mapping[str, str]) -> PickKind:
    """Return what a pick is: instances that it may not use are late ones, failed ones, or standbys.

    Beside one that is under way it is a hedge; after one that failed this call it is a retry.
    """
    if fields.get("reason", "").endswith(f": {PROBE_REASON}"):
        return "probe"
    listed = fields.get("candidates", "").split(", ")
    ends = {known.get(each.removesuffix(_EXCLUDED), "") for each in listed if each.endswith(_EXCLUDED)}
    if "under way" in ends:
        return "hedge"
    return "retry" if "failed" in ends else "call"
