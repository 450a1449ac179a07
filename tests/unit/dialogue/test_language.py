"""Which language a device or a text speaks."""

from __future__ import annotations

import pytest

from dispatcher.dialogue.language import detect_language, resolve_language, shows_language
from dispatcher.messages import Language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the weather like?", "en"),
        ("今天天气怎么样？", "zh"),
        ("打开 Spotify", "zh"),
        ("用Python写一个hello world程序", "zh"),
        ("How do you say 你好 in English, please?", "en"),
        ("", "en"),
        ("42!", "en"),
        ("Où est la gare?", "en"),
    ],
)
def test_a_text_has_the_language_of_most_of_its_script(text: str, language: str) -> None:
    assert detect_language(text) == language


@pytest.mark.parametrize(
    ("text", "shown"),
    [("几点了", True), ("ok?", True), ("Où", True), ("42!", False), ("🙂", False), ("", False)],
)
def test_a_text_without_letters_shows_no_language(text: str, *, shown: bool) -> None:
    assert shows_language(text) is shown


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN", "zh"),
        ("zh_TW", "zh"),
        ("EN-us,zh;q=0.8", "en"),
        ("en;q=0.2, zh-CN;q=0.9", "zh"),
        ("fr-FR, en;q=0.5", "en"),
        ("en;level=1", "en"),
        ("zh;q=0, en;q=0.1", "en"),
        ("zh;q=much, en;q=0.1", "en"),
        ("fr-FR", "auto"),
        ("*", "auto"),
        ("enm, zhx", "auto"),
        ("", "auto"),
        (",;q=;,", "auto"),
    ],
)
def test_the_header_gives_the_language_it_prefers_of_those_spoken_here(
    header: str, language: Language
) -> None:
    assert resolve_language(device=None, accept_language=header, default="auto") == language


def test_the_setting_of_the_device_comes_before_its_header() -> None:
    assert resolve_language(device="en", accept_language="zh-CN", default="zh") == "en"
    assert resolve_language(device="auto", accept_language="zh-CN", default="zh") == "auto"


def test_a_device_that_says_nothing_has_the_default() -> None:
    assert resolve_language(device=None, accept_language=None, default="zh") == "zh"
