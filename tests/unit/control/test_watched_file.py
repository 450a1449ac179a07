"""Saves of a watched file that change the catalogue, and those that do not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from dispatcher.catalogue import load_catalogue
from dispatcher.control.watched_file import SETTLE_S, WatchedFile
from dispatcher.errors import ConfigError
from dispatcher.routing.initial_catalogue import starting_catalogue
from dispatcher.settings import Settings
from tests.unit.catalogue.files import ENDPOINT, file_with

HEAVY = f"{ENDPOINT}, weight: 2"


class EditedFile:
    """A file whose edits lie some seconds back, each after the one before."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written_at = time.time() - 1000

    def write(self, text: str) -> None:
        self.path.write_text(text, encoding="utf-8")
        self.written_at += 10
        os.utime(self.path, (self.written_at, self.written_at))


@pytest.fixture
def file(tmp_path: Path) -> EditedFile:
    written = EditedFile(tmp_path / "x.yaml")
    written.write(file_with())
    return written


@pytest.fixture
def watched(file: EditedFile) -> WatchedFile:
    return WatchedFile(file.path, load_catalogue(file.path))


def test_a_file_that_nobody_touched_is_no_news(watched: WatchedFile) -> None:
    assert [watched.poll() for _ in range(2)] == [None, None]


def test_a_change_is_news_once(file: EditedFile, watched: WatchedFile) -> None:
    file.write(file_with(HEAVY))
    found = watched.poll()
    assert found is not None
    assert found.catalogue.instance("asr-1").weight == 2
    assert watched.poll() is None


def test_a_save_counts_from_the_moment_it_came_to_its_place(file: EditedFile, watched: WatchedFile) -> None:
    before_s = time.time() - 0.1
    copy = file.path.with_name("kept.yaml")
    copy.write_text(file_with(HEAVY), encoding="utf-8")
    os.utime(copy, (before_s - 500,) * 2)
    copy.rename(file.path)
    found = watched.poll()
    assert found is not None
    assert before_s < found.saved_at_s <= time.time()


def test_a_change_between_the_start_and_the_first_look_is_news(file: EditedFile) -> None:
    known = load_catalogue(file.path)
    file.write(file_with(HEAVY))
    assert WatchedFile(file.path, known).poll() is not None


def test_a_new_comment_or_a_new_time_is_no_news(file: EditedFile, watched: WatchedFile) -> None:
    file.write("# mine\n" + file_with())
    assert watched.poll() is None
    file.write("# mine\n" + file_with())
    assert watched.poll() is None


def test_a_warning_is_logged_for_a_save_and_not_by_each_process_at_its_start(
    file: EditedFile, watched: WatchedFile
) -> None:
    file.write(f"{file_with(HEAVY)}\nplayback: {{lead_frames: 30}}\n")
    with capture_logs() as logs:
        assert starting_catalogue(Settings(dispatcher_config=file.path)).playback.lead_frames == 20
        assert logs == []
        assert watched.poll() is not None
    assert [each["configured"] for each in logs if "configured" in each] == [30]


def test_a_mistake_is_refused_once_for_each_content(file: EditedFile, watched: WatchedFile) -> None:
    for weight in (-1, -2):
        file.write(file_with(f"{ENDPOINT}, weight: {weight}"))
        with pytest.raises(ConfigError, match=f"weight: was {weight}"):
            watched.poll()
        assert watched.poll() is None


def test_a_file_that_is_mended_to_what_it_was_is_no_news(file: EditedFile, watched: WatchedFile) -> None:
    file.write("load_balancing: [")
    with pytest.raises(ConfigError):
        watched.poll()
    file.write(file_with())
    assert watched.poll() is None


def test_a_file_that_was_written_this_moment_is_left_to_rest(file: EditedFile) -> None:
    known = load_catalogue(file.path)
    file.write(file_with(HEAVY))
    now = [file.written_at + SETTLE_S / 2]
    watched = WatchedFile(file.path, known, clock=lambda: now[0])
    assert watched.poll() is None
    now[0] += SETTLE_S
    assert watched.poll() is not None


def test_a_file_that_is_away_for_a_moment_is_no_news(file: EditedFile, watched: WatchedFile) -> None:
    file.path.unlink()
    assert watched.poll() is None
    file.write(file_with(HEAVY))
    assert watched.poll() is not None
