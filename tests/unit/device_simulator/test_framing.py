"""Binary frames in three versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.device_simulator.framing import Version, unwrap, wrap
from dispatcher.errors import ProtocolError


@given(packet=st.binary(max_size=1500), version=st.sampled_from([1, 2, 3]))
def test_what_is_wrapped_comes_out_again(packet: bytes, version: Version) -> None:
    assert unwrap(wrap(packet, version=version, timestamp_ms=60), version=version) == packet


def test_version_2_has_the_layout_of_the_firmware() -> None:
    frame = wrap(b"opus", version=2, timestamp_ms=258)

    assert frame.hex() == "00020000000000000000010200000004" + b"opus".hex()


def test_version_3_has_the_layout_of_the_firmware() -> None:
    assert wrap(b"opus", version=3).hex() == "00000004" + b"opus".hex()


@pytest.mark.parametrize(
    ("version", "frame", "reason"),
    [
        (2, b"\0\2\0\0", "header has 16"),
        (3, b"\0", "header has 4"),
        (2, wrap(b"opus", version=2) + b"!", "4 bytes of payload and has 5"),
        (3, wrap(b"opus", version=3)[:-1], "4 bytes of payload and has 3"),
        (2, b"\0\3" + wrap(b"opus", version=2)[2:], "expected version 2"),
        (3, b"\1" + wrap(b"opus", version=3)[1:], "type 1"),
    ],
)
def test_a_frame_at_which_the_firmware_would_read_out_of_bounds_is_refused(
    version: Version, frame: bytes, reason: str
) -> None:
    with pytest.raises(ProtocolError, match=reason):
        unwrap(frame, version=version)
