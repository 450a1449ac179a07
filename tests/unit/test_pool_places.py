"""How many tasks a worker runs at once follows from the slots of its services."""

from __future__ import annotations

from dispatcher.catalogue.model import Catalogue, Instance, ServiceConfig
from workers.celery_ext.pools import slots_for


def ears(*providers: str) -> Catalogue:
    """Return a catalogue whose ears speak these dialects, five slots each."""
    instances = tuple(
        Instance(service="asr", name=f"asr-{at}", endpoint="ws://ear", provider=name, max_concurrent=5)
        for at, name in enumerate(providers)
    )
    asr = ServiceConfig(service="asr", algorithm="least_connections", instances=instances)
    return Catalogue(path="", services={"asr": asr})


def test_a_place_for_each_slot() -> None:
    assert slots_for(["asr"], ears("openai_http", "openai_http")) == 10
    assert slots_for(["asr"], ears("funasr", "dashscope_asr")) == 10


def test_where_some_wait_for_the_end_of_speech_without_a_slot_there_is_room_for_them() -> None:
    assert slots_for(["asr"], ears("funasr", "openai_http")) == 20
