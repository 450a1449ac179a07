"""Personas edited in the console: what holds from then on, what is refused, what is kept, and the file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from dispatcher.catalogue.conversation import Conversation
from dispatcher.catalogue.load import load_catalogue
from dispatcher.catalogue.model import Catalogue
from dispatcher.catalogue.personas import Persona
from dispatcher.console.app import create_console
from dispatcher.control.added_instances import reconcile
from dispatcher.control.persona_edits import edit_persona
from dispatcher.devices import registry
from dispatcher.dialogue.persona import character
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.routing.active_catalogue import ActiveCatalogue
from dispatcher.settings import Settings
from tests.support.broker import Broker

Client = TestClient[Any, Any]
PASSWORD = "open sesame"
MAC = "02:00:00:00:00:19"
CONFIG = Path(__file__).parents[3] / "config" / "embedded.yaml"
KIDS = Persona(name="Bobo", voices={"*": "nova"}, wake_words=("hi bobo",))


def yaml_of(**personas: Persona) -> Catalogue:
    """Return the catalogue of a file with these personas."""
    rules = Conversation(system_prompt="Be kind.", personas=personas)
    return replace(load_catalogue(CONFIG, {}, log_warnings=False), conversation=rules)


@pytest.fixture
async def client(redis: RedisClient, broker: Broker, tmp_path: Path) -> AsyncIterator[Client]:
    """A browser of an operator who signed in, over a catalogue with one persona."""
    await instance_table.publish(redis, yaml_of(kids=KIDS))
    settings = Settings(redis_url=broker.url, data_dir=tmp_path, operator_password=PASSWORD)
    async with TestClient(TestServer(create_console(settings))) as opened:
        async with opened.post("/session", json={"name": "Ada", "password": PASSWORD}) as response:
            opened.session.headers["X-CSRF-Token"] = (await response.json())["csrf"]
        yield opened


async def opened(client: Client, persona: str) -> dict[str, Any]:
    """Return what the form of a persona is filled with."""
    async with client.get("/persona", params={"persona": persona}) as response:
        return dict(await response.json())


async def save(client: Client, shown: Mapping[str, Any] | None = None, /, **texts: str) -> tuple[int, str]:
    """Return the status of a change, and its text; of a form that was opened before, or just now."""
    form = shown or await opened(client, texts["persona"])
    async with client.post("/persona", json={**form, **texts}) as response:
        return response.status, await response.text()


async def rules(redis: RedisClient) -> Conversation:
    """Return what all processes go by."""
    active = await instance_table.read_active(redis)
    assert active is not None
    return active.catalogue.conversation


async def test_a_persona_that_is_edited_holds_at_once_and_again_after_a_reload(
    client: Client, redis: RedisClient
) -> None:
    changes = {
        "system_prompt": "Be wild.\nSing.",
        "voice": "tts-1：echo，alloy:high",
        "wake_words": "hi, you\n\nho",
    }
    status, text = await save(client, persona="kids", why="birthday", **changes)
    assert status == 200, text
    who = character(await rules(redis), MAC, chosen="kids")
    assert who.system_prompt.startswith("Be wild.\nSing.\nYour name is Bobo.")
    assert (dict(who.voices), who.wake_words) == ({"tts-1": "echo", "*": "alloy:high"}, ("hi, you", "ho"))
    assert (await opened(client, "kids"))["voice"] == "tts-1: echo, alloy:high"
    kept = [json.loads(each) for each in await redis.execute("LRANGE", keys.OPERATOR_ACTIONS, 0, -1)]
    assert [(each["who"], each["what"], each["subject"], each["value"], each["why"]) for each in kept] == [
        ("Ada", "edit", "kids", "system_prompt, voice, wake_words", "birthday")
    ]

    active = ActiveCatalogue(redis, yaml_of(kids=replace(KIDS, language="en")))
    assert await active.adopt(active.current)
    await reconcile(redis, active)
    who = character(await rules(redis), MAC, chosen="kids")
    assert (who.language, who.wake_words) == ("en", ("hi, you", "ho"))


async def test_what_is_left_as_it_is_stays_the_yamls_and_an_empty_form_is_no_edit(
    client: Client, redis: RedisClient
) -> None:
    await save(client, persona="kids", name="Momo")
    assert (await rules(redis)).edited == {"kids": Persona(name="Momo")}
    await save(client, persona="kids", name="")
    assert (await rules(redis)).edited == {}
    assert await redis.execute("HGETALL", keys.OVERRIDES) == {}
    kept = [json.loads(each)["value"] for each in await redis.execute("LRANGE", keys.OPERATOR_ACTIONS, 0, -1)]
    assert kept == ["name as in the YAML", "name"]
    assert await save(client, persona="kids") == (200, '{"done": "kids: as it was"}')
    assert len(kept) == await redis.execute("LLEN", keys.OPERATOR_ACTIONS)


async def test_who_saves_an_older_form_takes_back_nothing_of_another(
    client: Client, redis: RedisClient
) -> None:
    of_ben, of_new = await opened(client, "kids"), await opened(client, "*")
    assert (await save(client, persona="kids", system_prompt="Be wild."))[0] == 200
    stale = (409, "kids: was changed since it was opened, here or in the YAML; open it again")
    assert await save(client, of_ben, persona="kids", voice="echo") == stale
    assert await save(client, of_new, persona="kids", name="Momo") == stale, "a new one may not take its name"
    assert await save(client, {}, persona="kids", seen="", name="") == stale, "one that was never opened"
    assert (await rules(redis)).edited == {"kids": Persona(system_prompt="Be wild.")}
    saved = await asyncio.gather(*(save(client, of_new, persona="night", name=each) for each in ("A", "B")))
    assert sorted(status for status, _ in saved) == [200, 409]


async def test_what_an_edit_was_over_may_leave_the_yaml_and_texts_that_nobody_touched_are_not_looked_at(
    client: Client, redis: RedisClient
) -> None:
    long = Persona(
        system_prompt="\u3000长\x07" + "x" * 9000, voices={f"tts-{at}": "y" * 20 for at in range(20)}
    )
    await instance_table.publish(redis, yaml_of(kids=long))
    assert (await save(client, persona="kids", name="Momo"))[0] == 200
    assert (await rules(redis)).edited == {"kids": Persona(name="Momo")}
    await instance_table.publish(redis, yaml_of())
    await edit_persona(redis, "kids", Persona(name="Momo", greeting="Yo?"))
    assert (await save(client, persona="kids", name="小\u3000宝 👩‍👧", voice="echo"))[0] == 200
    kids = Persona(name="小\u3000宝 👩‍👧", greeting="Yo?", voices={"*": "echo"})
    assert (await rules(redis)).edited == {"kids": kids}


async def test_the_language_of_the_default_stays_behind_what_a_device_says(
    client: Client, redis: RedisClient
) -> None:
    assert (await opened(client, ""))["language"] == "auto"
    assert (await save(client, persona="", language="zh"))[0] == 200
    assert (await opened(client, "kids"))["language"] == ""
    found = await rules(redis)
    assert (found.default_language, character(found, MAC).language) == ("zh", None)


async def test_the_default_and_a_new_persona_can_be_edited(client: Client, redis: RedisClient) -> None:
    assert (await save(client, persona="", system_prompt="Be brief."))[0] == 200
    assert (await save(client, persona="night", voice="onyx"))[0] == 200
    who = character(await rules(redis), MAC, chosen="night")
    assert (who.system_prompt, dict(who.voices)) == ("Be brief.", {"*": "onyx"})
    body = {"action": "persona", "subject": MAC, "value": "night"}
    async with client.post("/actions", json=body) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ({"language": "fr"}, "language: was 'fr'; expected one of"),
        ({"persona": "a b"}, "persona: was 'a b'; expected a name of letters, digits, dots and dashes"),
        ({"system_prompt": "x" * 8001}, "system_prompt: had 8001 characters; expected at most 8000"),
        ({"name": "\ud800"}, "name: had U+D800 as character 1; expected printable characters"),
        ({"persona": "default", "name": "Momo"}, "persona: was 'default', which stands for none"),
        ({"persona": "night"}, "persona: says what the default says"),
        ({"voice": "tts1: nova"}, "voice: was for 'tts1', which no TTS instance and no provider is called"),
        ({"voice": "tts-1: , *: x"}, "voice: was a mapping; expected a voice, or a mapping"),
    ],
)
async def test_a_field_that_cannot_be_used_is_named_and_nothing_is_kept(
    client: Client, redis: RedisClient, texts: Mapping[str, str], told: str
) -> None:
    status, text = await save(client, **{"persona": "kids", **texts})
    assert (status, told in text) == (400, True), text
    assert await redis.execute("LLEN", keys.OPERATOR_ACTIONS) == 0


async def test_who_did_not_sign_in_sees_no_prompt_and_no_file(client: Client) -> None:
    client.session.cookie_jar.clear()
    for path in ("/persona?persona=kids", "/catalogue.yaml"):
        async with client.get(path) as response:
            assert response.status == 403
    async with client.post("/persona", json={}) as response:
        assert response.status == 403


async def test_the_exported_file_loads_with_what_was_edited(
    client: Client, redis: RedisClient, tmp_path: Path
) -> None:
    await save(client, persona="kids", name="Momo")
    await registry.set_field(redis, MAC, "persona", "kids")
    await registry.set_field(redis, MAC, "language", "zh")
    async with client.get("/catalogue.yaml") as response:
        assert response.headers["Content-Disposition"].startswith("attachment")
        (tmp_path / "exported.yaml").write_text(await response.text(), encoding="utf-8")
    found = load_catalogue(tmp_path / "exported.yaml", {}, log_warnings=False).conversation
    assert found.personas == {"kids": replace(KIDS, name="Momo")}
    assert (found.devices[MAC].persona, found.devices[MAC].language) == ("kids", "zh")
