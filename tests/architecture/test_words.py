"""Names that were given up stay away: each with the field's word that took its place."""

from __future__ import annotations

import re
from typing import Final

from tests.architecture.tree import ROOT, files_in, place

# Unambiguous identifiers alone; common words are for the reader's judgement.
REPLACED: Final = {
    "has_come": "mark_connected",
    "make_acquaintance": "DeviceProfile",
    "SaidOfItself": "DeviceDetails",
    "ErrandKind": "CommandKind",
    "lost_everything": "needs_restore",
    "give_back_changed": "put_back_changed",
    "learn_speech": "load_speech_model",
    "RedisLine": "RedisClient",
    "read_knobs": "read_overrides",
    "KnobName": "OverrideName",
    "read_board": "read_snapshot",
    "look_at_workers": "WorkerControl.read_workers",
    "OnTheMark": "AlignedSchedule",
    "cache_line": "cache_client",
    "waiting_line": "blocking_redis",
    "greet_with": "on_connect_commands",
    "speakable": "speech_text.clean",
    "RequestRefused": "RequestError",
    "refusal_of": "read_model",
    "CheckedFiles": "check_sha256",
    "behind_switch": "FaultyEngine",
    "FailingAsr": "FaultyEngine",
    "FailingLlm": "FaultyEngine",
    "FailingTts": "FaultyEngine",
    "HEARING_RATE_HZ": "MODEL_RATE_HZ",
    "own_up": "decline",
    "hear_transcript": "set_transcript",
    "hear_frame": "add_frame",
    "note_tool": "add_tool_call",
    "chinese_numbers": "speech_text.normalize",
    "hears_live": "is_streaming_asr",
    "live_asr": "streaming_asr",
    "optional_parameters": "negotiation",
    "drop_named": "Negotiation.run",
    "check_handshake": "SocketProvider.check",
    "unmet_needs": "missing_keys",
    "NEEDED_KEYS": "dialects.DIALECTS",
    "HEARD_NOTHING": "NO_SPEECH",
    "take_floor": "try_win",
    "usual_times": "SharedHedging.estimators",
    "incoming_speech": "incoming_utterance",
    "Outrun": "LostHedge",
    "hear_out": "Attempt.lose",
    "is_doubted": "LateInstances.mark_late",
    "may_retry": "RetryBudget.try_spend",
    "with_shared_state": "redis_session.with_redis",
    "settings_here": "resolve_settings",
    "PartLog": "ProcessLog",
    "keep_marked": "refresh_marker",
    "see_off": "DrainingProcesses.add",
    "EverythingIsSet": "EveryVariable",
    "NotHere": "FaultUnavailable",
    "HurtableStack": "ChaosStack",
    "BackupNote": "LastBackup",
    "HeardSentence": "ComparedSentence",
    "run_child": "measure",
    "may_act": "try_act",
    "LiveCatalogue": "ActiveCatalogue",
    "in_force": "active",
    "put_in_force": "activate",
    "chosen_at_s": "activated_at_s",
    "KNOBS": "OVERRIDES",
    "ERRANDS_CHANNEL": "COMMANDS_CHANNEL",
    "ERRAND_TTL_S": "COMMAND_ANSWERS_TTL_S",
    "errand_id": "command_id",
    "scratch_line": "prefixed_client",
    "on_listening": "on_subscribed",
    "patience_s": "reconnect_timeout_s",
    "PATIENCE_S": "<SUBJECT>_TIMEOUT_S",
    "LOOK_AGAIN_S": "<SUBJECT>_POLL_INTERVAL_S",
    "Household": "TalkingDevices",
    "Ears": "StreamingAsr",
    "Tuned": "TunerStack",
    "ShakyRedis": "FlakyRedis",
    "cap_hammer": "cap_contention",
}
# Of things, not of people: machines are unreachable, and standbys.
PHRASES: Final = {"is away": "is unreachable", "box not quiet": "host not quiet"}
_WORDS: Final = re.compile(rf"\b({'|'.join((*REPLACED, *PHRASES))})\b")


def test_no_name_is_used_that_was_replaced() -> None:
    found = [
        f"{place(path, number)}: {word} is {(REPLACED | PHRASES)[word]} now"
        for path in files_in("dispatcher", "workers", "tests", suffixes=(".py", ".lua"))
        if path != ROOT / "tests" / "architecture" / "test_words.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        for word in _WORDS.findall(line)
    ]
    assert not found
