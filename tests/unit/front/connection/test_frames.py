"""Binary frames of every version, both ways, and frames that lie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.errors import ProtocolError
from dispatcher.front.connection.frames import VERSIONS, Version, pack, read_version, unpack

SILENCE = b"\xf8"


@given(version=st.sampled_from(VERSIONS), packet=st.binary(min_size=1, max_size=4000), ms=st.integers(0))
def test_a_packet_comes_back_out_of_its_frame(version: Version, packet: bytes, ms: int) -> None:
    assert unpack(version, pack(version, packet, ms)) == (packet, False)


def test_frames_look_as_the_protocol_says() -> None:
    packet = b"opus"

    assert pack(1, packet, 60) == packet
    assert pack(2, packet, 60) == bytes.fromhex("0002 0000 00000000 0000003c 00000004") + packet
    assert pack(3, packet, 60) == bytes.fromhex("00 00 0004") + packet


def test_the_timestamp_starts_again_after_49_days() -> None:
    assert pack(2, b"", 2**32 + 120)[8:12] == (120).to_bytes(4, "big")


@pytest.mark.parametrize("frame", [bytes.fromhex("0002 0001 00000000 00000000 00000002") + b"{}"])
def test_json_in_a_frame_of_version_2_is_told_apart(frame: bytes) -> None:
    assert unpack(2, frame) == (b"{}", True)


def test_json_in_a_frame_of_version_3_is_told_apart() -> None:
    assert unpack(3, b"\x01\x00\x00\x02{}") == (b"{}", True)


@pytest.mark.parametrize("version", VERSIONS)
def test_silence_of_one_byte_is_a_packet_like_any_other(version: Version) -> None:
    assert unpack(version, pack(version, SILENCE, 0)) == (SILENCE, False)


@pytest.mark.parametrize("version", [2, 3])
def test_what_follows_the_payload_is_left_out(version: Version) -> None:
    assert unpack(version, pack(version, b"opus", 0) + b"rest") == (b"opus", False)


@pytest.mark.parametrize(("version", "header_bytes"), [(2, 16), (3, 4)])
def test_a_frame_shorter_than_its_header_is_refused(version: Version, header_bytes: int) -> None:
    for size in range(header_bytes):
        with pytest.raises(ProtocolError, match=f"has {size} bytes, expected a header of {header_bytes}"):
            unpack(version, bytes(size))


@pytest.mark.parametrize("version", [2, 3])
def test_a_frame_that_claims_more_than_it_holds_is_refused(version: Version) -> None:
    whole = pack(version, b"opus", 0)

    with pytest.raises(ProtocolError, match="claims 4 bytes of payload, 3 came"):
        unpack(version, whole[:-1])


@given(version=st.sampled_from(VERSIONS), frame=st.binary(max_size=40))
def test_no_frame_breaks_the_reader(version: Version, frame: bytes) -> None:
    try:
        payload, _ = unpack(version, frame)
    except ProtocolError:
        return
    assert payload in frame


@pytest.mark.parametrize(
    ("requested", "version"),
    [*((str(number), number) for number in (1, 2, 3)), (2, 2), (" 3 ", 3)],
)
def test_the_framing_is_the_one_asked_for(requested: object, version: Version) -> None:
    assert read_version(requested) == version


@pytest.mark.parametrize("requested", [None, "", "4", "0", "two", "1.0", True, [2]])
def test_an_unknown_framing_is_the_first(requested: object) -> None:
    assert read_version(requested) == 1
