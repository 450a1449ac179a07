"""All targets of fuzzing, by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from hypothesis import strategies as st

from tests.fuzz import device_targets, http_targets, provider_targets, session_model, store_targets
from tests.fuzz.target import Target
from tests.unit.dialogue import test_turn_properties as turns

CORPUS: Final = Path(__file__).parent / "corpus"
_PROPERTIES: Final = (
    turns.test_every_turn_ends_once_and_says_nothing_after_it,
    turns.test_an_apology_is_made_only_where_nothing_was_spoken,
    turns.test_no_piece_is_spoken_twice_and_none_is_out_of_order,
    turns.test_each_subtitle_stands_once_right_before_its_audio,
    turns.test_no_two_sendings_share_an_attempt,
)


def _turn(data: st.DataObject) -> None:
    """Run a turn among workers that fail and fall silent, for each property of a turn."""
    for each in _PROPERTIES:
        each.hypothesis.inner_test(data=data)  # type: ignore[attr-defined]


TARGETS: Final[Mapping[str, Target]] = {
    each.name: each
    for each in (
        *device_targets.TARGETS,
        *provider_targets.TARGETS,
        *store_targets.TARGETS,
        *http_targets.TARGETS,
        session_model.TARGET,
        Target(name="turn", cases=st.data(), check=_turn, weight=0.2),
    )
}


def kept_cases(name: str) -> Mapping[str, bytes]:
    """Return the kept cases of a target by file name; what is no text stands as hexadecimal digits."""
    return {
        path.name: bytes.fromhex(path.read_text()) if path.suffix == ".hex" else path.read_bytes()
        for path in sorted((CORPUS / name).glob("*"))
    }


def keep_case(name: str, title: str, case: bytes) -> Path:
    """Write a case to the corpus; return its file."""
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        is_text = "\0" not in case.decode()
    except UnicodeDecodeError:
        is_text = False
    path = folder / f"{title}{'.txt' if is_text else '.hex'}"
    path.write_bytes(case if is_text else case.hex().encode())
    return path
