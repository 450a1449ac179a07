"""What an instance that refuses says: until when, and in which words."""

from __future__ import annotations

import pytest

from dispatcher.errors import InstanceBusy, InstanceFailed
from tests.support.services.openai import FakeOpenAi


async def test_a_busy_instance_may_say_until_what_time(openai: FakeOpenAi) -> None:
    date, until = "Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:45 GMT"
    openai.answers("", status=503, Retry_After=until, Date=date)

    with pytest.raises(InstanceBusy) as raised:
        await openai.transcribe()
    assert raised.value.retry_after_s == 45.0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": {"code": 7, "message": "no such model"}, "status": "bad"}', "no such model"),
        ('{"error": "overloaded"}', "overloaded"),
        ('{"detail": "try later"}', "try later"),
        ('{"detail": [{"loc": ["body", "x"], "msg": "extra fields"}]}', "body.x: extra fields"),
        ('{"status": "loading", "in_flight": 0, "memory": 0.1}', "loading"),
        ('{"error": {"message": "' + "x" * 500 + '"}}', "x" * 200),
        ("<html>\n<h1>502</h1>\n\n</html>\n", "<html> <h1>502</h1> </html>"),
        ("[1]", "[1]"),
        ("", ""),
    ],
)
async def test_the_message_of_a_refusal_is_told_without_the_json_around_it(
    openai: FakeOpenAi, body: str, words: str
) -> None:
    openai.answers(body, status=500)

    with pytest.raises(InstanceFailed) as raised:
        await openai.transcribe()
    assert raised.value.reason == f"HTTP 500: {words}"
