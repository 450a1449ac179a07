"""Services that speak, each against one in software that speaks its documented openai, well and badly."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.errors import (
    InstanceBusy,
    InstanceFailed,
    InstanceForbidden,
    InstanceUnreachable,
)
from dispatcher.providers.protocols import LoadReport, SpeechUsage
from tests.support.encoded import likeness, speech
from tests.support.services.cosyvoice import BILLED_CHARACTERS
from tests.support.waiting import WAIT_TIMEOUT_S
from tests.unit.providers.tts.tts_services import KEYS, Serve, fails, heard


@pytest.mark.parametrize("provider", KEYS)
async def test_a_sentence_is_spoken(serve: Serve, provider: str) -> None:
    async with serve(provider) as voice:
        assert likeness(await heard(voice.speaks()), speech()) > 0.95
        assert voice.service.asked


@pytest.mark.parametrize("provider", KEYS)
async def test_a_check_reaches_the_service_and_speaks_nothing(serve: Serve, provider: str) -> None:
    async with serve(provider) as voice:
        assert await voice.check() == LoadReport()
        assert voice.service.asked == []


@pytest.mark.parametrize("provider", KEYS)
async def test_speech_comes_before_all_of_it_is_made_and_closing_it_closes_the_socket(
    serve: Serve, provider: str
) -> None:
    async with serve(provider) as voice:
        stream = voice.speaks()
        assert await anext(stream)
        await stream.aclose()

        # The service is free for the next sentence.
        assert await heard(voice.speaks())


@pytest.mark.parametrize("provider", KEYS)
async def test_a_call_that_is_cancelled_while_it_waits_leaves_the_service(
    serve: Serve, provider: str
) -> None:
    async with serve(provider) as voice:
        voice.service.fault = "waits"
        call = asyncio.create_task(heard(voice.speaks()))
        async with asyncio.timeout(WAIT_TIMEOUT_S):
            while not voice.service.asked:  # noqa: ASYNC110  the service has no event for it
                await asyncio.sleep(0.01)

        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(WAIT_TIMEOUT_S):
            await voice.service.gone.wait()


@pytest.mark.parametrize("provider", KEYS)
async def test_a_slow_first_slice_is_waited_for(serve: Serve, provider: str) -> None:
    async with serve(provider) as voice:
        voice.service.fault = "waits"
        call = asyncio.create_task(heard(voice.speaks()))
        await asyncio.sleep(0.05)
        assert not call.done()

        voice.service.go_on.set()
        assert likeness(await call, speech()) > 0.95


@pytest.mark.parametrize("fault", ["dies", "closes"])
@pytest.mark.parametrize("provider", KEYS)
async def test_speech_that_breaks_off_is_the_services_fault(serve: Serve, provider: str, fault: str) -> None:
    async with serve(provider) as voice:
        voice.service.fault = fault
        begun, error = await fails(voice.speaks())

        assert 0 < len(begun) < len(speech())
        assert type(error) in {InstanceFailed, InstanceUnreachable}
        assert (error.retryable, error.origin) == (True, "theirs")


@pytest.mark.parametrize("provider", KEYS)
async def test_a_web_page_is_the_services_fault(serve: Serve, provider: str) -> None:
    async with serve(provider) as voice:
        voice.service.fault = "html"
        _, error = await fails(voice.speaks())

        assert type(error) is InstanceFailed
        assert "<!doctype" in error.reason or provider == "edge_tts"


@pytest.mark.parametrize("provider", ["xfyun", "cosyvoice", "volcano"])
async def test_a_quota_that_is_spent_is_no_fault_of_ours(serve: Serve, provider: str) -> None:
    async with serve(provider) as voice:
        voice.service.fault = "quota"
        _, error = await fails(voice.speaks())

        assert type(error) is InstanceBusy


@pytest.mark.parametrize("provider", ["xfyun", "cosyvoice", "volcano"])
async def test_a_wrong_key_is_found_by_the_call_and_by_the_check(serve: Serve, provider: str) -> None:
    async with serve(provider) as voice:
        _, error = await fails(voice.speaks(api_key_env="WRONG"))
        assert type(error) is InstanceForbidden

        with pytest.raises(InstanceForbidden):
            await voice.check(api_key_env="WRONG")


@pytest.mark.parametrize("provider", ["xfyun", "cosyvoice", "volcano"])
async def test_a_key_that_this_process_does_not_have_is_named(serve: Serve, provider: str) -> None:
    async with serve(provider) as voice:
        _, error = await fails(voice.speaks(api_key_env="NOT_HERE"))

        assert type(error) is InstanceForbidden
        assert error.reason == "NOT_HERE is not set in this process"


@pytest.mark.parametrize("provider", ["xfyun", "cosyvoice", "volcano"])
async def test_nobody_there_is_out_of_reach(serve: Serve, provider: str) -> None:
    async with serve(provider) as voice:
        path = voice.service.url.split("/", 3)[3]
        _, error = await fails(voice.speaks(endpoint=f"ws://127.0.0.1:9/{path}"))

        assert type(error) is InstanceUnreachable


async def test_a_wrong_secret_is_told_in_the_services_words(serve: Serve) -> None:
    async with serve("xfyun") as voice:
        _, error = await fails(voice.speaks(api_secret_env="WRONG"))

        assert type(error) is InstanceForbidden
        assert "HMAC signature does not match" in error.reason


async def test_base64_that_breaks_off_shows_how_it_began(serve: Serve) -> None:
    async with serve("xfyun") as voice:
        voice.service.fault = "truncated"
        _, error = await fails(voice.speaks())

        assert type(error) is InstanceFailed
        assert "audio is no base64: {'audio': '" in error.reason


@pytest.mark.parametrize("fault", ["empty", "no-mp3"])
async def test_edge_speech_without_sound_is_the_services_fault(serve: Serve, fault: str) -> None:
    async with serve("edge_tts") as voice:
        voice.service.fault = fault
        _, error = await fails(voice.speaks())

        assert type(error) is InstanceFailed


async def test_an_edge_voice_that_cannot_exist_is_the_operators_to_mend(serve: Serve) -> None:
    async with serve("edge_tts") as voice:
        _, error = await fails(voice.speaks(voice="Xiaoxiao"))

        assert type(error) is InstanceForbidden


async def test_edge_voices_follow_the_language_where_none_is_chosen(serve: Serve) -> None:
    async with serve("edge_tts") as voice:
        await heard(voice.speaks(language="en"))
        await heard(voice.speaks())
        await heard(voice.speaks(voice="zh-CN-YunxiNeural"))

        spoken = [each["ssml"] for each in voice.service.asked]
        wanted = ("en-US, AriaNeural", "zh-CN, XiaoxiaoNeural", "zh-CN, YunxiNeural")
        assert all(name in ssml for name, ssml in zip(wanted, spoken, strict=True))


async def test_a_session_may_serve_several_calls_at_once(serve: Serve) -> None:
    async with serve("xfyun") as voice:
        several = await asyncio.gather(*(heard(voice.speaks()) for _ in range(4)))

        assert len(set(several)) == 1


async def test_cosyvoice_says_how_many_characters_it_bills(serve: Serve) -> None:
    async with serve("cosyvoice") as voice:
        slices = [each async for each in voice.speaks()]
        assert [each.characters for each in slices if isinstance(each, SpeechUsage)] == [BILLED_CHARACTERS]
