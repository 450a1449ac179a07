"""Catalogues written as YAML: the file loads as the same catalogue."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dispatcher.catalogue.codec import digest
from dispatcher.catalogue.conversation import Conversation, FillerRules
from dispatcher.catalogue.export import as_yaml
from dispatcher.catalogue.load import load_catalogue
from dispatcher.catalogue.mcp_server import McpServer
from dispatcher.catalogue.model import Catalogue
from dispatcher.catalogue.personas import Persona

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
