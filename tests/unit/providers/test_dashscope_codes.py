"""DashScope's documented codes: the same error for voices and for recognition, whenever it comes."""

from __future__ import annotations

from itertools import permutations

import aiohttp
import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.errors import (
    ContentRefused,
    InstanceBusy,
    InstanceError,
    InstanceFailed,
    InstanceForbidden,
)
from dispatcher.providers.asr.dashscope_asr import DashscopeAsr
from dispatcher.providers.dashscope import _failure
from dispatcher.providers.dashscope_codes import CODES, NO_SPEECH_CODES
from tests.support.processes import ROOT
from tests.support.services.dashscope_asr import DashscopeServer
from tests.support.services.socket_server import SocketServer
from tests.unit.providers.asr.spoken_utterance import Speaker, says, tone
from tests.unit.providers.tts.tts_services import Serve, fails, heard

PAGE = ROOT / "docs/providers/dashscope-codes.md"
DOCUMENTED: dict[type[InstanceError], tuple[str, ...]] = {
    InstanceBusy: (
        *("Throttling", "Throttling.RateQuota", "Throttling.BurstRate", "Throttling.AllocationQuota"),
        *("LimitRequests", "RateLimit", "ModelServingError", "ModelUnavailable"),
        *("ServiceUnavailable", "SystemBusy"),
    ),
    InstanceForbidden: (
        *("InvalidApiKey", "NOT AUTHORIZED", "AccessDenied", "AccessDenied.Unpurchased", "NotFound"),
        *("App.AccessDenied", "Model.AccessDenied", "Workspace.AccessDenied", "WorkSpaceNotFound"),
        *("ModelNotFound", "Arrearage", "AllocationQuota.FreeTierOnly", "CommodityNotPurchased"),
        *("PrepaidBillOverdue", "PostpaidBillOverdue"),
        *("InvalidParameter", "InvalidParameter.DataInspection", "InvalidURL", "CLIENT_ERROR"),
        *("BadRequest.EmptyModel", "BadRequest.TooLarge", "UnsupportedModel", "UnsupportedOperation"),
        *("UNSUPPORTED_FORMAT", "InvalidFile.Format"),
    ),
    ContentRefused: ("DataInspectionFailed",),
    InstanceFailed: (
        *("InternalError", "InternalError.Algo", "InternalError.Timeout", "SystemError"),
        *("ModelServiceFailed", "RequestTimeOut"),
        *("ClientDisconnect", "SomethingNew", "X"),
    ),
}
EACH = [(code, kind) for kind, codes in DOCUMENTED.items() for code in codes]


@pytest.fixture
def server(sockets: SocketServer) -> DashscopeServer:
    ear = DashscopeServer()
    sockets.talks(ear.talk)
    return ear


@pytest.fixture
def ear(http_session: aiohttp.ClientSession) -> DashscopeAsr:
    return DashscopeAsr(http_session)


@pytest.mark.parametrize(("code", "kind"), EACH)
async def test_a_voice_tells_whose_fault_a_code_is(
    serve: Serve, code: str, kind: type[InstanceError]
) -> None:
    async with serve("cosyvoice") as voice:
        voice.service.fault = code
        _, error = await fails(voice.speaks())

        assert type(error) is kind
        assert error.reason == f"{code}: because of it"


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(("code", "kind"), EACH)
async def test_a_recognition_tells_whose_fault_a_code_is(
    ear: DashscopeAsr,
    sockets: SocketServer,
    server: DashscopeServer,
    code: str,
    kind: type[InstanceError],
    *,
    later: bool,
) -> None:
    server.fails_with, server.fails_later_with = ("", code) if later else (code, "")
    speaker = Speaker((tone(600), tone(600)))
    with pytest.raises(InstanceError) as raised:
        await ear.transcribe_stream(sockets.instance("asr"), speaker.speech(), "zh")

    assert type(raised.value) is kind
    assert raised.value.reason == f"{code}: see the documents"


@pytest.mark.parametrize("code", NO_SPEECH_CODES)
async def test_no_speech_is_an_empty_transcript_and_no_fault(
    ear: DashscopeAsr, sockets: SocketServer, server: DashscopeServer, code: str
) -> None:
    server.fails_later_with = code
    assert (await ear.transcribe_stream(sockets.instance("asr"), says(tone(600)), "zh")).text == ""


@pytest.mark.parametrize("code", NO_SPEECH_CODES)
async def test_a_voice_has_no_excuse_in_hearing_nothing(serve: Serve, code: str) -> None:
    async with serve("cosyvoice") as voice:
        voice.service.fault = code
        _, error = await fails(voice.speaks())

        assert type(error) is InstanceFailed


async def test_a_failure_without_a_code_is_the_services_own(ear: DashscopeAsr, sockets: SocketServer) -> None:
    sockets.sends('{"header": {"event": "task-failed"}, "payload": null}')
    with pytest.raises(InstanceFailed, match="no code: None"):
        await ear.transcribe_stream(sockets.instance("asr"), says(tone(600)), "zh")


async def test_a_voice_of_another_model_is_tried_elsewhere_and_ejects_nobody(serve: Serve) -> None:
    async with serve("cosyvoice") as voice:
        _, error = await fails(voice.speaks(voice="longxiaochun"))
        assert (error.retryable, error.origin) == (True, "ours")
        assert "418" in error.reason

        assert await heard(voice.speaks(model="cosyvoice-v1", voice="longxiaochun"))


def test_no_code_of_the_list_begins_with_another_so_that_their_order_says_nothing() -> None:
    known = [*CODES, *NO_SPEECH_CODES]
    assert not [pair for pair in permutations(known, 2) if pair[0].startswith(pair[1])]


def test_every_code_of_the_list_is_tried_here_and_told_on_its_page() -> None:
    tried = [code for code, _ in EACH]
    assert [begins for begins in CODES if not any(code.startswith(begins) for code in tried)] == []
    page = PAGE.read_text("utf-8")
    assert [begins for begins in [*CODES, *NO_SPEECH_CODES] if f"`{begins}" not in page] == []


@pytest.mark.parametrize("code", ["InvalidParameter", "CLIENT_ERROR"])
def test_a_user_who_is_silent_with_the_button_held_counts_against_nobody(code: str) -> None:
    instance = Instance(service="asr", name="asr-1", endpoint="ws://127.0.0.1:1")
    silent = {"error_code": code, "error_message": "request timeout after 23 seconds."}
    wrong = {"error_code": code, "error_message": "Engine return error code: 418"}

    assert (_failure(instance, silent).counts, _failure(instance, wrong).counts) == (False, True)
