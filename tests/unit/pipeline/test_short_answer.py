"""Shorter answers while too many turns wait."""

from __future__ import annotations

import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.pipeline.llm import with_brief_request, with_fewer_tokens


def test_the_request_stands_behind_what_was_said_in_its_language() -> None:
    assert with_brief_request("Why?", language="en").startswith("Why?\n[Answer briefly")
    assert with_brief_request("为什么？", language="zh") == "为什么？\n[请简短回答，一两句话即可。]"


@pytest.mark.parametrize(("own", "most"), [(None, 150), (400, 150), (100, 100)])
def test_an_instance_writes_no_more_than_it_may(own: int | None, most: int) -> None:
    instance = Instance(service="llm", name="llm-1", endpoint="http://127.0.0.1/v1", max_tokens=own)
    assert with_fewer_tokens(instance, 150).max_tokens == most


def test_one_that_thinks_keeps_its_tokens() -> None:
    thinking = Instance(service="llm", name="llm-1", endpoint="http://127.0.0.1/v1", thinking="auto")
    assert with_fewer_tokens(thinking, 150) is thinking
