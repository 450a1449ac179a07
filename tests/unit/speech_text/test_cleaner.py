"""What of a written reply is spoken and shown."""

from __future__ import annotations

import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.speech_text.cleaner import clean


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Plain text, with a mark.", "Plain text, with a mark."),
        ("**bold**, *italic*, ***both***, __bold__ and _italic_", "bold, italic, both, bold and italic"),
        ("**5** apples and *6* pears", "5 apples and 6 pears"),
        ("half of **a pair.", "half of a pair."),
        ("**“重点”**是这个", "“重点”是这个"),
        ("`code` and ~~gone~~", "code and gone"),
        ("## A heading", "A heading"),
        ("> quoted", "quoted"),
        ("- an item", "an item"),
        ("- [x] a task", "a task"),
        ("看[文档](https://example.com/docs)吧。", "看文档吧。"),
        ("see ![a picture](pic.png 'its title') here", "see a picture here"),
        ("docs](https://example.com/a) say", "docs say"),
        ("go to https://www.example.com/a/b?c=1, please", "go to example.com, please"),
        ("go to <https://example.com>.", "go to example.com."),
        ("see www.example.com/x.", "see example.com."),
        ("看https://example.com吧", "看example.com吧"),
        ("Great 👍🏽! Yes 😀.", "Great! Yes."),
        ("好的 👍 。", "好的。"),
        ("👨\u200d👩\u200d👧 family ❤\ufe0f 1\ufe0f\u20e3", "family 1"),
        # HTML and entities
        ("a<b 并且 c>d", "a<b 并且 c>d"),
        ("if a<b and c>d, x<y>z", "if a<b and c>d, x<y>z"),
        ("one<br>two<br/>three <b>four</b>", "one. two. three four"),
        ('<p class="x">你好</p><!-- no -->', "你好"),
        ("a <!DOCTYPE html> b", "a b"),
        ("Tom &amp; Jerry&nbsp;&#39;s &lt;br&gt;x", "Tom & Jerry 's. x"),
        # Formulas
        ("So $E=mc^2$ holds.", "So E=mc² holds."),
        (r"公式\(x_1^{2}+\alpha \leq \frac{1}{2}\)成立", "公式x₁²+α ≤ 1/2成立"),
        (r"$$\sqrt{2} \times \sin x^{ab}$$", "√2 × sin x to the power of ab"),
        (r"\[\begin{matrix} 1 & 2 \end{matrix}\]好", "公式请看屏幕。好"),
        (r"See \begin{align} a &= b \end{align} now", "See See the text for the formula. now"),
        ("$5 to $8, or $1,299.99.", "$5 to $8, or $1,299.99."),
        ("US$ and A$ and $x $y", "US$ and A$ and $x $y"),
        ("价格是$5到$8。", "价格是$5到$8。"),
        (r"\frac{1}{2} \times 3", "1/2 × 3"),
        ("H<sub>2</sub>O 10<sup>3</sup>", "H₂O 10³"),
        # Code
        ("代码：\n```python\nprint(1)\n```\n好了", "代码：代码请看屏幕。好了"),
        ("Run:\n~~~\nls\n~~~\nDone", "Run: See the text for the code. Done"),
        ("```\nnever closed", "See the text for the code."),
        ("```markdown\n# Title\n```\nText", "Title. Text"),
        ("use ```ls``` here", "use ls here"),
        # Asides
        ("Paris[1][2, 3] is nice[^2].", "Paris is nice."),
        ("巴黎【3†source】很美【4:0†a.pdf】。", "巴黎很美。"),
        ("It is so (source: https://a.b/c). Yes ([a.b](https://a.b?x=1)).", "It is so. Yes."),
        ("如此（来源：新华社）。", "如此。"),
        ("So [citation needed] it is.\n[1]: https://a.b/c", "So it is."),
        ("So \ue200cite\ue202turn0search1\ue201it is.", "So it is."),
        ("太好了(≧▽≦)！真的(^_^) ¯\\_(ツ)_/¯", "太好了！真的"),
        ("ʕ•ᴥ•ʔ 好 T_T ^_^ :)", "好"),
        ("*laughs* Hello! (smiles warmly) [pause] Bye.", "Hello! Bye."),
        ("（微笑）你好。【点点头】*轻轻地笑了笑*再见", "你好。再见"),
        ("I *really* think (see below) f(x) （见下文）", "I really think (see below) f(x) （见下文）"),
        ("o(╥﹏╥)o 好的٩(๑❛ᴗ❛๑)۶", "好的"),
        ("_sighs_ Well", "Well"),
        # Signs
        ("你\u200b好\u00ad吗\ufeff\u202e\x07？", "你好吗？"),
        ("什么？？！！好……嗯。。。啊！！！", "什么？！好……嗯……啊！"),
        ("wait..... what??? no?!?!?!", "wait... what? no?!"),
        ("好的～～ 10~20 哦~", "好的 10~20 哦"),
        ("it\u2019s don\u2019t", "it's don't"),
        ("𝐇𝐞𝐥𝐥𝐨 𝟙", "Hello 1"),
        ("x² ≤ √2 ± 3", "x² ≤ √2 ± 3"),
        ("==== a --- b ----", "a b"),
        ("()  []a（）", "a"),
    ],
)
def test_only_the_words_are_spoken(written: str, spoken: str) -> None:
    assert clean(written) == spoken


@pytest.mark.parametrize(
    "text",
    [
        "2*3 is 6",
        "2*3*4=24",
        "3 * 4 is 12",
        "snake_case",
        "a - b",
        "5 > 4",
        "don't",
        "C# and F#",
        "1986. A year",
    ],
)
def test_signs_that_are_no_markup_stay(text: str) -> None:
    assert clean(text) == text


def test_lines_are_joined_with_a_pause() -> None:
    assert clean("# Fruits\n- Apples\n- Pears,\n\n1. Plums!\nThat is all") == (
        "Fruits. Apples. Pears, 1. Plums! That is all"
    )
    assert clean("水果\n- 苹果\n- 香蕉。\n橘子") == "水果。苹果。香蕉。橘子"
    assert clean("1. one\n10) ten\n2.") == "1. one. 10) ten. 2."
    assert clean("3. 4. five") == "3. 4. five"
    assert clean("7.") == "7."


def test_a_table_is_read_row_by_row() -> None:
    assert clean("---\n| a | b |\n|---|:-:|\n| c | |\n") == "a, b. c"
    assert clean("| 名称 | 价格 |\n|---|---|\n| 苹果 | 5元 |") == "名称，价格。苹果，5元"


def test_a_hint_at_code_is_in_the_language_of_the_user_where_the_reply_shows_none() -> None:
    assert clean("```\nx\n```", language="zh") == "代码请看屏幕。"
    assert clean("```\nx\n```", language="en") == "See the text for the code."


@pytest.mark.parametrize(
    "written", ["", "  \n", "👍", "...", "---", "**", "![](x.png)", "(^_^)", "[1]", "<br>", "$$$$"]
)
def test_text_with_nothing_to_say_is_empty(written: str) -> None:
    assert clean(written) == ""


MARKUP = st.lists(
    st.sampled_from([
        *"ab 3.,!*_`#-[]()<>|~$\\^&;:/你。（）【】\n😀\u200b\u00ad\x07",
        "```", "$$", "\\(", "\\)", "\\[", "\\]", "\\frac{1}{2}", "&amp;", "&lt;", "<br>", "<b>", "[1]",
        "(^_^)",
        "https://a.b/c", "1. ", "- ", "**", "<!--", "-->", "*laughs*", "（微笑）", "\\begin{a}",
        "\\end{a}",
    ]),
    max_size=40,
).map("".join)  # fmt: skip


def test_text_that_was_escaped_many_times_ends_without_signs_of_markup() -> None:
    assert not set("&<>") & set(clean("&" + "amp;" * 9 + "lt;b&gt; and more"))


@given(MARKUP | st.text(max_size=60))
def test_a_clean_text_stays_as_it_is_whatever_was_written(written: str) -> None:
    spoken = clean(written)
    assert clean(spoken) == spoken
    assert "\n" not in spoken
    assert "  " not in spoken
    assert len(spoken) <= 20 * len(written) + 60


@given(st.text(alphabet="ab 3.,!?#-你好。，\n*_", max_size=60))
def test_no_letter_outside_of_asides_and_addresses_is_lost(written: str) -> None:
    letters = [character for character in written if character.isalnum()]
    assert [character for character in clean(written) if character.isalnum()] == letters


@given(st.text(alphabet="ab你好`*~_ ", max_size=60))
def test_no_sign_of_markup_is_left(written: str) -> None:
    assert not set("`") & set(clean(written))
    assert "**" not in clean(written)


@pytest.mark.parametrize(
    "unit",
    [
        "[",
        "*",
        "**a ",
        "_a",
        "`",
        "``` ",
        "$",
        "$1 ",
        "\\(",
        "<",
        "<!--",
        "(",
        "（",
        "&amp;",
        "> ",
        "- ",
        "|",
        "~~~\n",
        "\\frac{",
        "[a](",
        "![",
        "[a](b)",
    ],
)
def test_hostile_markup_takes_no_longer_than_any_other(unit: str) -> None:
    tracer = sys.gettrace()
    sys.settrace(None)  # the cost of the cleaner, not of measuring its coverage
    started_at = time.thread_time()
    clean(unit * (10_000 // len(unit)))
    clean("(source: " + unit * (10_000 // len(unit)))
    cost_s = time.thread_time() - started_at
    sys.settrace(tracer)
    assert cost_s < 3
