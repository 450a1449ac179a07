"""What services say when they refuse: each code becomes the error of whoever can do something about it."""

from __future__ import annotations

import pytest

from dispatcher.errors import (
    ContentRefused,
    InstanceBusy,
    InstanceError,
    InstanceFailed,
    InstanceForbidden,
)
from tests.unit.providers.tts.tts_services import Serve, fails


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, InstanceForbidden) for code in (10005, 10105, 10163, 10313, 11200)),
        *((code, InstanceBusy) for code in (10010, 11201, 11202, 11203)),
        *((code, InstanceFailed) for code in (10019, 10101, 10200, 99999)),
        (10109, ContentRefused),
    ],
)
async def test_each_code_of_xfyun_tells_whose_fault_it_is(
    serve: Serve, code: int, kind: type[InstanceError]
) -> None:
    async with serve("xfyun") as voice:
        voice.service.fault = str(code)
        _, error = await fails(voice.speaks())

        assert type(error) is kind
        assert f"code {code}: 'because of it'" in error.reason


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("3001 wrong operation", InstanceForbidden),
        ("3001 quota exceeded for types: characters_lifetime", InstanceForbidden),
        ("3001 extract request resource id: access denied", InstanceForbidden),
        ("3003 too many", InstanceBusy),
        ("3005 busy", InstanceBusy),
        ("3011 illegal input text!", ContentRefused),
        ("3031 Init Engine Instance failed", InstanceFailed),
        ("3050 no such voice", InstanceForbidden),
    ],
)
async def test_each_code_of_volcano_tells_whose_fault_it_is(
    serve: Serve, said: str, kind: type[InstanceError]
) -> None:
    async with serve("volcano") as voice:
        voice.service.fault = said
        _, error = await fails(voice.speaks())

        assert type(error) is kind
        assert f"code {said[:4]}: " in error.reason
        assert said[5:] in error.reason


@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, InstanceForbidden), (429, InstanceBusy), (503, InstanceBusy), (500, InstanceFailed)],
)
async def test_a_status_of_the_edge_service_tells_whose_fault_it_is(
    serve: Serve, status: int, kind: type[InstanceError]
) -> None:
    async with serve("edge_tts") as voice:
        voice.service.fault = str(status)
        _, error = await fails(voice.speaks())

        assert type(error) is kind
