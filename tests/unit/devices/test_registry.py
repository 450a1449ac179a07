"""A device as the registry keeps it."""

from __future__ import annotations

from dispatcher.devices.registry import CLIENT_DIGITS, DeviceDetails, Registered, client_digest, read_hash


def test_a_client_is_kept_by_a_digest_alone() -> None:
    digest = client_digest("a-client")

    assert len(digest) == CLIENT_DIGITS
    assert "a-client" not in digest
    assert client_digest("") == ""


def test_a_device_is_bound_to_one_client_and_before_that_to_none() -> None:
    bound = Registered(device_id="d", client=client_digest("mine"))

    assert bound.is_other_client("another")
    assert not bound.is_other_client("mine")
    assert not Registered(device_id="d").is_other_client("another")


def test_fields_that_have_no_meaning_count_as_unknown() -> None:
    flat = [b"language", b"klingon", b"blocked", b"1", b"last_seen_ms", b"soon", b"first_seen_ms", b"7"]

    found = read_hash("d", flat)

    assert found == Registered(device_id="d", blocked=True, first_seen_ms=7)


def test_only_what_a_device_sent_of_itself_is_written() -> None:
    assert DeviceDetails(board="bread", client_id="mine").fields() == ["board", "bread"]
