"""Catalogues written as YAML: the file loads as the same catalogue."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from dispatcher.catalogue.codec import digest
from dispatcher.catalogue.conversation import Conversation, FillerRules
from dispatcher.catalogue.export import SAME_SECTIONS, as_yaml
from dispatcher.catalogue.load import load_catalogue
from dispatcher.catalogue.mcp_server import McpServer
from dispatcher.catalogue.model import Catalogue
from dispatcher.catalogue.personas import DeviceRule, Persona
from dispatcher.catalogue.schema import Root
from dispatcher.catalogue.usage_rules import Budget, Price, UsageRules

MAC = "10:20:30:40:50:01"
# Each of them is something else than a text to YAML 1.1, to the loader, or to the emitter.
TEXTS = tuple("1e5|+.5|1.5e3|no|~|2024-11-20|10:20:30|=|<<|0x1f|小\u3000宝 👩‍👧|a: b".split("|"))
CONFIG = Path(__file__).parents[3] / "config"
HOME = McpServer(name="home", url="https://home.example/mcp", allow=("light_on",))


def loaded(catalogue: Catalogue, folder: Path) -> Catalogue:
    """Return what the exported file loads as."""
    path = folder / "exported.yaml"
    path.write_text(as_yaml(catalogue), encoding="utf-8")
    return load_catalogue(path, {}, log_warnings=False)


@pytest.mark.parametrize("name", ["embedded.yaml", "load_balancing.yaml"])
def test_a_file_of_ours_is_the_same_after_an_export(name: str, tmp_path: Path) -> None:
    written = load_catalogue(CONFIG / name, {}, log_warnings=False)
    assert digest(loaded(written, tmp_path)) == digest(written)


def test_what_was_edited_is_written_and_what_the_tuner_added_is_not(tmp_path: Path) -> None:
    yaml = load_catalogue(CONFIG / "embedded.yaml", {}, log_warnings=False)
    llm = yaml.services["llm"]
    added = replace(llm.instances[0], name="llm-1-extra-1", endpoint="http://127.0.0.1:9/v1", is_added=True)
    rules = Conversation(
        system_prompt="Be kind.",
        personas={"kids": Persona(name="Bobo", greeting="Yo?")},
        edited={"kids": Persona(name="Momo"), "": Persona(system_prompt="Be brief.", language="en")},
        filler=FillerRules(after_ms=0),
    )
    services = {**yaml.services, "llm": replace(llm, instances=(*llm.instances, added))}
    found = loaded(replace(yaml, services=services, conversation=rules, mcp_servers=(HOME,)), tmp_path)
    assert found.services == yaml.services
    assert found.mcp_servers == (HOME,)
    assert found.conversation.personas == {"kids": Persona(name="Momo", greeting="Yo?")}
    assert (found.conversation.system_prompt, found.conversation.language) == ("Be brief.", "en")
    assert (found.conversation.filler.after_ms, found.conversation.edited) == (0, {})


def test_budgets_and_texts_that_look_like_numbers_are_as_they_were(tmp_path: Path) -> None:
    yaml = load_catalogue(CONFIG / "embedded.yaml", {}, log_warnings=False)
    llm = yaml.services["llm"]
    paid = replace(llm.instances[0], model="1e5", price=Price(prompt_tokens=2.5))
    budgets = {"day": Budget(per="day", cost=3.0, device=MAC), "month": Budget(per="month", tokens=1e6)}
    rules = Conversation(
        system_prompt="Line\n\n  - two # three\n\ttab ",
        wake_words=TEXTS,
        personas={"1e3": Persona(name="1e4", voices={"*": "7e7"})},
        devices={MAC: DeviceRule(persona="1e3")},
    )
    written = replace(
        yaml,
        services={**yaml.services, "llm": replace(llm, instances=(paid, *llm.instances[1:]))},
        conversation=rules,
        usage=UsageRules(currency="EUR", budgets=budgets),
    )
    assert digest(loaded(written, tmp_path)) == digest(written)


def test_no_section_of_the_file_is_left_out() -> None:
    of_file = {each.name for each in fields(Root)}
    assert of_file == {"load_balancing", "phrase_cache", "mcp_servers", *SAME_SECTIONS}
