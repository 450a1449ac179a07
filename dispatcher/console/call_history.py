"""Calls of the last turns, as the stream of decisions has them: which pick was a hedge, which a retry."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from dispatcher.routing.rules.constants import FAILED_THIS_CALL, PROBE_REASON

PickKind = Literal["call", "probe", "hedge", "retry"]

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

    def observe(self, fields: Mapping[str, str]) -> str:
        """Remember an entry of the stream; return the kind of a pick, the service of an end, or ""."""
        if "outcome" in fields:
            return self.end(fields)
        is_pick = {"turn", "service", "instance", "lease"} <= fields.keys()
        return self.pick(fields) if is_pick else ""

    def pick(self, fields: Mapping[str, str]) -> PickKind:
        """Remember a pick of the stream, and return what it was."""
        call = _Call(fields["turn"], fields["service"], fields["instance"])
        known = self._stages.setdefault(call[:2], {})
        kind = _kind_of(fields, known)
        if kind != "probe":
            known[call.instance] = "under way"
        self._leases[fields["lease"]] = call
        for held in (self._leases, self._stages):
            while len(held) > MAX_STAGES:
                held.popitem(last=False)
        return kind

    def end(self, fields: Mapping[str, str]) -> str:
        """Remember an end of the stream, and return the service; "" where its pick was not seen."""
        call = self._leases.pop(fields["lease"], None)
        if call is None:
            return ""
        known = self._stages.get(call[:2], {})
        if known.get(call.instance) == "under way":
            known[call.instance] = fields["outcome"]
        return call.service


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
