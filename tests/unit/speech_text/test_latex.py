"""Formulas as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.speech_text.latex import formula_text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("E = mc^2", "E = mc²"),
        (r"\frac{a+b}{2}", "(a+b)/2"),
        (r"\sqrt[3]{x} + \sqrt{x+1} + \sqrt[", "³√x + √(x+1) + √"),
        (r"90^\circ, f^{\prime}", "90°, f′"),
        (r"x_{max} + a_{12}", "x max + a₁₂"),
        (r"2^{n+1} 速度^{ab}", "2ⁿ⁺¹ 速度的ab次方"),
        (r"\left( a \, b \right) \quad \text{if } a~b", "( a b ) if a b"),
        (r"\sin x \leq \log_2 y", "sin x ≤ log₂ y"),
        (r"x^", "x to the power of "),
        (r"x^ 2", "x²"),
        (r"|x| * 2", "x × 2"),
        ("", ""),
    ],
)
def test_a_formula_is_text_that_can_be_read(source: str, text: str) -> None:
    assert formula_text(source) == text.strip()


@pytest.mark.parametrize(
    "source", ["x" * 600, "x + " * 40, "{" * 30, r"a \\\\ b", r"\begin{matrix} 1 & 2 \end{matrix}"]
)
def test_a_formula_that_nobody_follows_by_ear_has_to_be_seen(source: str) -> None:
    assert formula_text(source) is None


@given(st.text(alphabet="ab 12{}^_\\[]~&*$|`", max_size=60))
def test_no_sign_of_latex_is_left(source: str) -> None:
    assert not set("\\{}$`*|") & set(formula_text(source) or "")
