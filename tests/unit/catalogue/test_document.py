"""Files that are no YAML: where, and in whose words."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from dispatcher.catalogue import load_catalogue
from dispatcher.catalogue.document import read_document
from dispatcher.errors import ConfigError
from tests.unit.catalogue.files import CatalogueFile


def test_a_missing_file_says_which_variable_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file; DISPATCHER_CONFIG"):
        load_catalogue(tmp_path / "none.yaml", {})


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: is a directory"):
        load_catalogue(tmp_path, {})


def test_bytes_that_are_no_text_are_found_on_their_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes("a: 1\nb: 你好\n".encode("gbk"))
    with pytest.raises(ConfigError, match=r"x.yaml:2: is not UTF-8 text"):
        load_catalogue(path, {})


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("a: 1\nb: c: d", "2: is not readable as YAML at column 5", "a ':' stands where none may"),
        ("a:\n\tb: 1", "2: is not readable as YAML at column 1", "indent with spaces, not tabs"),
        ("a: @b", "1: is not readable as YAML at column 4", "put text that starts with @"),
        ("a:\n  b: 1\n c: 2", "3: is not readable as YAML at column 2", "the indentation does not fit"),
        (
            "a: 1\nb\nc: 2",
            "3: is not readable as YAML at column 1",
            "without its ':' (in what begins on line 2)",
        ),
        (
            "a: 'x\nb: 1\n",
            "3: is not readable as YAML at column 1",
            "never closed (in what begins on line 1)",
        ),
        ("a: [1", "1: is not readable as YAML at column 6", "not closed"),
        ("a: 'x", "1: is not readable as YAML at column 6", "never closed"),
        ("a: *b", "1: is not readable as YAML at column 4", "no &name defines"),
        ("a: 1\n---\nb: 2", "2: is not readable as YAML at column 1", "a second document"),
        ("a: !secret b", "1: is not readable as YAML at column 4", "no meaning here"),
        ("a: !!int b", "1: is not readable as YAML at column 4", "no meaning here"),
        ("a: &b [*b]", "1: is not readable as YAML at column 4", "inside its own &name"),
        ("[a]: 1", "1: is not readable as YAML at column 1", "a key must be a word"),
        ("a: [\n", "2: is not readable as YAML at column 1", "a bracket or brace is never closed"),
        ("<<: 5", "1: is not readable as YAML at column 5", "expected a mapping"),
        ("a: 1\nb: \x01", "2: an invisible character", "number 1"),
    ],
)
def test_what_is_no_yaml_is_told_in_plain_words(
    catalogue_file: CatalogueFile, text: str, where: str, words: str
) -> None:
    (problem,) = catalogue_file.problems(text)
    assert problem.startswith(where)
    assert words in problem


def test_lines_of_keys_and_list_entries_are_known(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a:\n  - b: 1\n    c:\n      2\n\n  -\n    d: {e: 3}\n", encoding="utf-8")
    document = read_document(path)
    assert document.line(("a", 0)) == 2
    assert document.line(("a", 0, "c")) == 3
    assert document.line(("a", 1, "d", "e")) == 7


def test_the_line_of_a_key_that_is_not_there_is_its_nearest_parents(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\nb:\n  c: 2\n", encoding="utf-8")
    document = read_document(path)
    assert document.line(("b", "c", "d", 0)) == 3
    assert document.line(("x",)) == 1


def test_the_last_of_a_doubled_key_counts_and_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: [1]\nb: 2\na: [3]\n", encoding="utf-8")
    document = read_document(path)
    assert document.data == {"a": [3], "b": 2}
    assert document.line(("a", 0)) == 3
    assert document.problems == ((("a",), "the key is there twice, first on line 1"),)


def test_what_stands_too_deep_is_told_instead_of_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("a: " + "[" * 600 + "]" * 600)
    with pytest.raises(ConfigError, match=r"x\.yaml: brackets or indents stand too deep"):
        read_document(path)


def test_a_few_lines_that_stand_for_millions_of_entries_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    pairs = itertools.pairwise("abcdefgh")
    repeats = [f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in pairs]
    path.write_text("\n".join(["a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]", *repeats]))
    with pytest.raises(ConfigError, match=r"more than 100000 entries"):
        read_document(path)
