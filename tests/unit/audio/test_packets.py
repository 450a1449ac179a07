"""Packed packets: the form of claims and reply entries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.audio.packets import pack, unpack
from dispatcher.errors import AudioError


@given(st.lists(st.binary(max_size=300)))
def test_unpacking_gives_back_what_was_packed(packets: list[bytes]) -> None:
    assert unpack(pack(packets)) == packets


def test_each_packet_stands_behind_its_length_in_network_order() -> None:
    assert pack([b"ab", b"", b"c" * 258]) == b"\x00\x02ab" + b"\x00\x00" + b"\x01\x02" + b"c" * 258


def test_packed_strings_can_be_joined() -> None:
    assert unpack(pack([b"one"]) + pack([b"two"])) == [b"one", b"two"]


def test_the_longest_packet_fits_and_one_byte_more_does_not() -> None:
    assert unpack(pack([bytes(65_535)])) == [bytes(65_535)]
    with pytest.raises(AudioError, match="65536 bytes"):
        pack([bytes(65_536)])


@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_packed_audio_that_was_cut_off_is_an_error(cut: int) -> None:
    with pytest.raises(AudioError, match="ends inside"):
        unpack(pack([b"abc"])[:-cut])
