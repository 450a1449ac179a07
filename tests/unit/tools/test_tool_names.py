"""Names of tools, as devices have them and as LLMs may say them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.tools.tool_names import llm_name

ALLOWED = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def test_a_device_tool_is_named_as_it_names_itself_as_far_as_an_llm_may() -> None:
    assert llm_name("", "self.audio_speaker.set_volume") == "self_audio_speaker_set_volume"


def test_the_server_goes_before_the_name_of_its_tool() -> None:
    assert llm_name("weather", "get-forecast") == "weather_get-forecast"


def test_two_names_that_look_alike_are_told_apart() -> None:
    first = llm_name("", "self.a_b")
    second = llm_name("", "self.a.b", taken={first})
    assert first == "self_a_b"
    assert second.startswith("self_a_b_")


def test_a_name_without_any_letter_that_is_allowed_is_a_digest_the_same_in_every_process() -> None:
    assert llm_name("", "播放音乐") == "d57e6880"


@given(st.lists(st.tuples(st.text(max_size=10), st.text(min_size=1, max_size=200)), unique=True, max_size=8))
def test_every_name_is_allowed_and_no_two_are_the_same(tools: list[tuple[str, str]]) -> None:
    names: list[str] = []
    for owner, name in tools:
        names.append(llm_name(owner, name, taken=names))
    assert all(ALLOWED.fullmatch(name) for name in names)
    assert len(set(names)) == len({f"{owner}.{name}" if owner else name for owner, name in tools})
