"""Noise is not answered: what ASR servers send for it, and what people really say."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dispatcher.dialogue.transcript_filter import said

NOISE = [
    *(
        "",
        " ",
        "。",
        "...",
        "……",
        "，",
        "?!",
        "(silence)",
        "[BLANK_AUDIO]",
        "[Music]",
        "（音乐）",
        "♪",
        "♪ la la ♪",
    ),
    *("*coughs*", "[ Silence ]", "(upbeat music)", "【音乐】", "[MUSIC PLAYING] ...", "\u200b", "\ufeff。"),
    *("<|nospeech|>", "<|zh|><|NEUTRAL|><|BGM|><|woitn|>", "<|en|><|EMO_UNKNOWN|><|Speech|><|woitn|>."),
    "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目",
    "字幕by索兰娅",
    "字幕志愿者 杨茜茜",
    "字幕由Amara.org社区提供",
    "Subtitles by the Amara.org community",
    "Thank you for watching!",
    "Thanks for watching, everyone."[:20] + ".",
    "谢谢观看",
    "感谢大家收看",
    "以下是普通话的句子。",
    "Don't forget to subscribe!",
    "啊" * 50,
    "哈哈哈" * 20,
    "I'm sorry. " * 12,
]


@pytest.mark.parametrize("text", NOISE)
def test_noise_is_not_answered(text: str) -> None:
    assert said(text).text == ""


@pytest.mark.parametrize(
    "text", ["Thank you.", "Bye.", "you", "谢谢", "嗯。", "Thank you for watching!", "谢谢观看"]
)
def test_words_that_whisper_invents_are_noise_where_it_says_that_nobody_spoke(text: str) -> None:
    assert said(text, no_speech_ratio=0.95, logprob=-0.9).text == ""


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Thank you.",
            "谢谢",
            "谢谢你",
            "Bye bye.",
            "OK",
            "嗯",
            "好的",
            "No.",
            "1",
            "3",
            "哈哈哈哈",
            "no no no no no",
        ),
        *(
            "这部电影的字幕由谁翻译",
            "How do I subscribe to a newspaper?",
            "What are subtitles?",
            "点赞是什么意思",
        ),
        *("下期双色球什么时候开奖", "thank you for watching the kids", "谢谢你帮我看门", "很好很好很好"),
    ],
)
def test_what_people_say_is_kept_where_no_measure_of_silence_comes(text: str) -> None:
    assert said(text).text == text


def test_a_closing_that_was_really_said_is_kept() -> None:
    assert said("Thank you for watching!", no_speech_ratio=0.02).text == "Thank you for watching!"


def test_a_transcript_that_is_unlikely_and_likely_silence_is_noise() -> None:
    assert said("And the gauge in it", no_speech_ratio=0.8, logprob=-1.4).text == ""
    assert said("What time is it?", no_speech_ratio=0.8, logprob=-0.2).text == "What time is it?"
    assert said("What time is it?", no_speech_ratio=0.8).text == "What time is it?"


@pytest.mark.parametrize(
    ("text", "words", "language"),
    [
        ("<|zh|><|NEUTRAL|><|Speech|><|woitn|>现在几点了？", "现在几点了？", "zh"),
        ("<|yue|><|HAPPY|><|Speech|><|withitn|>你好", "你好", "zh"),
        ("<|en|><|NEUTRAL|><|Speech|><|woitn|>what time is it", "what time is it", "en"),
        ("< | zh | > < | NEUTRAL | > 今 天 天 气 怎 么 样", "今天天气怎么样", "zh"),
        ("<|ja|><|NEUTRAL|><|Speech|><|woitn|>こんにちは", "こんにちは", "auto"),
        ("[Music] turn it down", "turn it down", "auto"),
        ("打开 Wi-Fi 开关", "打开 Wi-Fi 开关", "auto"),
    ],
)
def test_the_tags_of_sensevoice_come_off(text: str, words: str, language: str) -> None:
    heard = said(text)
    assert (heard.text, heard.language) == (words, language)


@given(st.text(max_size=200))
@example("0[[]]")
@example("[\u200b[noise (loud)]] turn it (well [cough]) down")
def test_a_transcript_of_any_text_stays_as_it_is_when_it_is_read_again(text: str) -> None:
    once = said(text).text
    assert said(once).text == once
    assert len(once) <= len(text)


def test_brackets_in_brackets_cost_no_more_than_twenty_looks() -> None:
    assert said("go " + "[" * 20 + "]" * 20).text == "go"
    assert said("go " + "[" * 30 + "]" * 30).text.count("[") == 10
