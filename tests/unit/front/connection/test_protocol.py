"""Messages of devices: what stock firmware sends, what others leave out, and what nobody should send."""

from __future__ import annotations

import json
import uuid
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.errors import ProtocolError
from dispatcher.front.connection.protocol import (
    MAX_TEXT_BYTES,
    MAX_UTTERANCE_CHARACTERS,
    Abort,
    AudioParams,
    Features,
    Hello,
    Listen,
    Mcp,
    Other,
    hello_answer,
    message,
    parse,
)

STOCK_HELLO = {
    "type": "hello",
    "version": 1,
    "features": {"aec": True, "mcp": True},
    "transport": "websocket",
    "audio_params": {"format": "opus", "sample_rate": 16000, "channels": 1, "frame_duration": 60},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def read(**fields: Any) -> object:
    return parse(json.dumps(fields))


def test_the_hello_of_a_stock_device() -> None:
    opus_60_ms = AudioParams(format="opus", sample_rate=16_000, frame_duration=60)

    expected = Hello(type="hello", version=1, features=Features(mcp=True), audio_params=opus_60_ms)
    assert read(**STOCK_HELLO) == expected


@pytest.mark.parametrize("features", [None, [], "mcp", {"mcp": "yes"}, {"mcp": 1}, {"mcp": False}, {}])
def test_a_hello_with_odd_features_is_one_of_a_device_without_tools(features: object) -> None:
    assert read(type="hello", features=features) == Hello(type="hello")


@pytest.mark.parametrize("payload", [{"jsonrpc": "2.0", "id": 1}, [], "nonsense", None])
def test_what_is_in_an_mcp_message_is_not_judged_here(payload: object) -> None:
    assert read(type="mcp", payload=payload) == Mcp(type="mcp", payload=payload)


@pytest.mark.parametrize("left_out", ["version", "features", "transport", "audio_params"])
def test_a_hello_without_one_of_its_fields_is_a_hello(left_out: str) -> None:
    said = {name: value for name, value in STOCK_HELLO.items() if name != left_out}

    assert isinstance(read(**said), Hello)


def test_a_bare_hello_means_what_a_stock_device_sends() -> None:
    assert read(type="hello") == Hello(type="hello", version=None, audio_params=AudioParams())


def test_a_hello_may_ask_for_pcm_and_short_frames() -> None:
    hello = read(type="hello", session_id="", audio_params={"format": "pcm", "frame_duration": 20})

    assert isinstance(hello, Hello)
    assert hello.audio_params == AudioParams(format="pcm", sample_rate=16_000, frame_duration=20)


@pytest.mark.parametrize("mode", ["manual", "auto", "realtime"])
def test_the_microphone_goes_on_in_each_mode(mode: str) -> None:
    start = read(session_id="a", type="listen", state="start", mode=mode)

    assert isinstance(start, Listen)
    assert (start.state, start.mode) == ("start", mode)


def test_the_microphone_goes_on_in_auto_where_no_mode_is_said() -> None:
    assert read(type="listen", state="start", mode=None) == Listen(type="listen", state="start", mode="auto")


def test_a_wake_word_or_a_typed_text() -> None:
    assert read(type="listen", state="detect", text="你好小智") == Listen(
        type="listen", state="detect", text="你好小智"
    )
    assert read(type="listen", state="detect", text=None) == Listen(type="listen", state="detect")


@pytest.mark.parametrize("said", [{"reason": "wake_word_detected"}, {"reason": 5}, {"reason": []}, {}])
def test_an_abort_with_and_without_a_reason(said: dict[str, object]) -> None:
    assert read(type="abort", **said) == Abort(type="abort")


def test_a_text_that_is_too_long_is_answered_as_it_is_at_that_length() -> None:
    typed = read(type="listen", state="detect", text="好" * 5000)

    assert isinstance(typed, Listen)
    assert typed.text == "好" * MAX_UTTERANCE_CHARACTERS


def test_half_a_character_in_a_text_is_no_reason_for_silence() -> None:
    typed = parse(r'{"type": "listen", "state": "detect", "text": "\ud83d hi \ud83d\ude00"}')

    assert isinstance(typed, Listen)
    assert typed.text == "\ufffd hi 😀"


@pytest.mark.parametrize("kind", ["ping", "goodbye", "iot", "", "x" * 5000])
def test_a_message_of_another_kind_is_no_error(kind: str) -> None:
    assert read(type=kind, payload={"jsonrpc": "2.0"}) == Other(type=kind[:40])


@pytest.mark.parametrize(
    "raw",
    [
        *("", "{", "hello", "[]", '"hello"', "null", "17", "{}", '{"type": 3}', '{"type": null}'),
        *(b"\xff\xfe", b"\x00", "[" * 50_000, '{"type": "mcp", "payload": ' + "[" * 101 + "]" * 101 + "}"),
        '{"type": "listen", "state": ' + "9" * 10_000 + "}",
    ],
)
def test_what_is_no_message_is_refused(raw: str | bytes) -> None:
    with pytest.raises(ProtocolError):
        parse(raw)


def test_a_message_that_is_too_long_is_refused_unread() -> None:
    with pytest.raises(ProtocolError, match="at most 65536 are read"):
        parse("{" * (MAX_TEXT_BYTES + 1))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"type": "listen", "state": "begin"}, r"listen\.state: was 'begin'"),
        ({"type": "listen"}, r"listen\.state"),
        ({"type": "listen", "state": "start", "mode": "loud"}, r"listen\.mode: was 'loud'"),
        ({"type": "listen", "state": "detect", "text": 5}, r"listen\.text: was int of length 1"),
        ({"type": "hello", "version": "two"}, r"hello\.version: was 'two'"),
        ({"type": "hello", "audio_params": {"format": "mp3"}}, r"hello\.audio_params\.format: was 'mp3'"),
        ({"type": "hello", "audio_params": {"sample_rate": 1}}, r"hello\.audio_params\.sample_rate: was 1"),
        ({"type": "hello", "audio_params": {"frame_duration": 0}}, r"frame_duration: was 0"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_was(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        read(**fields)


@given(
    fields=st.dictionaries(st.text(max_size=8), JSON), kind=st.sampled_from(["hello", "listen", "abort", "x"])
)
def test_no_message_breaks_the_reader(fields: dict[str, Any], kind: str) -> None:
    with suppress(ProtocolError):
        assert isinstance(read(**{**fields, "type": kind}), Hello | Listen | Abort | Other)


@given(raw=st.binary(max_size=60))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse(raw)


def test_the_answer_to_hello_holds_all_that_devices_need() -> None:
    session_id = str(uuid.uuid4())

    assert json.loads(hello_answer(session_id)) == {
        "type": "hello",
        "transport": "websocket",
        "session_id": session_id,
        "audio_params": {"format": "opus", "sample_rate": 24000, "channels": 1, "frame_duration": 60},
    }


def test_messages_to_the_device_carry_its_session_and_plain_chinese() -> None:
    sent = message("tts", "a-session", state="sentence_start", text="你好！")

    assert "你好！" in sent
    assert json.loads(sent) == {
        "type": "tts",
        "session_id": "a-session",
        "state": "sentence_start",
        "text": "你好！",
    }
