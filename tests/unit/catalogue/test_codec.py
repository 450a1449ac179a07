"""A catalogue that travels: what arrives is what was sent."""

from __future__ import annotations

import pytest

from dispatcher.catalogue.codec import decode, digest, encode
from dispatcher.errors import ConfigError
from tests.unit.catalogue.files import ENDPOINT, CatalogueFile, file_with

MORE = """      max_concurrent: 3
conversation: {language: zh, wake_words: [小智], devices: {"aa:bb": {language: en}}}
playback: {lead_frames: 7, opus_complexity: 5}
"""


def test_a_catalogue_arrives_as_it_was_sent(catalogue_file: CatalogueFile) -> None:
    catalogue = catalogue_file.loads_as(file_with(f"{ENDPOINT}, weight: 0.1, priority: low", MORE))
    assert decode(encode(catalogue)) == catalogue


def test_the_key_itself_never_travels(catalogue_file: CatalogueFile) -> None:
    environ = {"EAR_KEY": "secret-of-the-ear"}
    catalogue = catalogue_file.loads_as(file_with(f"{ENDPOINT}, api_key_env: EAR_KEY"), environ)
    assert "EAR_KEY" in encode(catalogue)
    assert "secret-of-the-ear" not in encode(catalogue)


def test_place_and_comments_of_a_file_make_no_difference(catalogue_file: CatalogueFile) -> None:
    plain = catalogue_file.loads_as(file_with())
    catalogue_file.path = catalogue_file.path.with_name("y.yaml")
    assert digest(catalogue_file.loads_as("# mine\n" + file_with())) == digest(plain)
    assert digest(catalogue_file.loads_as(file_with(f"{ENDPOINT}, weight: 2"))) != digest(plain)


def test_what_a_newer_version_added_is_left_out(catalogue_file: CatalogueFile) -> None:
    catalogue = catalogue_file.loads_as(file_with())
    assert decode(encode(catalogue).replace('{"path"', '{"colour": "red", "path"', 1)) == catalogue


def test_what_a_newer_version_calls_by_another_name_is_refused(catalogue_file: CatalogueFile) -> None:
    text = encode(catalogue_file.loads_as(file_with())).replace("weighted_round_robin", "by_star_sign")
    with pytest.raises(ConfigError, match="not of this version"):
        decode(text)


def test_the_cap_of_a_service_bounds_its_slots(catalogue_file: CatalogueFile) -> None:
    capped = catalogue_file.loads_as(file_with(f"{ENDPOINT}, max_concurrent: 9", MORE)).services
    assert (capped["asr"].max_concurrent, capped["asr"].slots) == (3, 3)
    assert (capped["llm"].max_concurrent, capped["llm"].slots) == (None, 4)
    loose = catalogue_file.loads_as(file_with(f"{ENDPOINT}, max_concurrent: 2", MORE)).services
    assert loose["asr"].slots == 2


def test_the_cap_of_a_service_is_a_whole_number(catalogue_file: CatalogueFile) -> None:
    (problem,) = catalogue_file.problems(file_with(more="      max_concurrent: 0\n"))
    assert problem.startswith("8:")
    assert "max_concurrent: was 0; expected a whole number of at least 1" in problem
