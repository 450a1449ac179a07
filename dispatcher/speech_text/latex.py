"""LaTeX formulas as text that a screen shows and a voice reads: E = mc², 1/2, √2."""

from __future__ import annotations

import re
from typing import Final

from dispatcher.speech_text.cjk import has_cjk

# More than this nobody follows by ear.
LONGEST_FORMULA: Final = 120
_DEEPEST: Final = 20

_SIGN: Final = re.compile(r"\\[A-Za-z]+\*?|\\.|[{}^_&~\[\]]|\s+|[^\\{}^_&~\[\]\s]|\\")
SUPERSCRIPT_DIGITS: Final = str.maketrans("0123456789+-n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ")
SUBSCRIPT_DIGITS: Final = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SYMBOLS: Final = dict(
    pair.split("=", 1)
    for pair in (
        "alpha=α beta=β gamma=γ delta=δ Delta=Δ epsilon=ε varepsilon=ε theta=θ lambda=λ mu=μ pi=π "
        "rho=ρ sigma=σ Sigma=Σ tau=τ phi=φ varphi=φ omega=ω Omega=Ω leq=≤ le=≤ geq=≥ ge=≥ neq=≠ "
        "ne=≠ approx=≈ sim=≈ pm=± times=× cdot=× ast=× div=÷ infty=∞ sum=∑ int=∫ partial=∂ in=∈ "
        "notin=∉ subset=⊂ subseteq=⊂ cup=∪ cap=∩ emptyset=∅ angle=∠ perp=⊥ parallel=∥ propto=∝ "
        "forall=∀ exists=∃ therefore=∴ because=∵ to=→ rightarrow=→ Rightarrow=⇒ implies=⇒ "
        "Leftrightarrow=⇔ iff=⇔ circ=° degree=° prime=′ lt=< gt=> ldots=… cdots=… dots=…"
    ).split()
)
_NOTHING: Final = frozenset(
    (
        "left right big Big bigg Bigg displaystyle textstyle limits nolimits mathrm mathbf mathit "
        "mathcal mathbb mathsf text textbf textit operatorname boxed vec hat bar overline underline "
        "tilde dot label tag"
    ).split()
)
_SPACES: Final = frozenset({",", ";", ":", "!", " ", "quad", "qquad"})


def formula_text(source: str) -> str | None:
    """Return a formula as plain text; None for one that has to be seen: an array, lines, a long one."""
    if len(source) > 4 * LONGEST_FORMULA:
        return None
    words = "的{}次方" if has_cjk(source) else ""
    formula = _Formula(source, power=words or " to the power of {}")
    text = re.sub(r"[`\\{}$]", "", formula.rest()).replace("*", "×").replace("|", " ")
    text = re.sub(r"\s+", " ", text).strip()
    return None if formula.is_too_rich or len(text) > LONGEST_FORMULA else text


class _Formula:
    """Reads the signs of one formula from left to right."""

    def __init__(self, source: str, *, power: str) -> None:
        self._signs = _SIGN.findall(source)
        self._at = 0
        self._depth = 0
        self._power = power
        self.is_too_rich = False

    def rest(self) -> str:
        """Return the text to the end of the group."""
        said: list[str] = []
        while self._at < len(self._signs):
            sign = self._take()
            if sign == "}":
                break
            said.append(self._said(sign))
        return "".join(said)

    def _take(self) -> str:
        self._at += 1
        sign: str = self._signs[self._at - 1]
        return sign

    def _said(self, sign: str) -> str:
        if sign == "{":
            return self._group()
        if sign == "^":
            return self._raised(self._argument())
        if sign == "_":
            lowered = self._argument()
            return lowered.translate(SUBSCRIPT_DIGITS) if lowered.isdecimal() else f" {lowered} "
        if sign == "&" or sign in ("\\\\", "\\begin"):
            self.is_too_rich = True
            return " "
        return self._command(sign[1:]) if sign.startswith("\\") else sign.replace("~", " ")

    def _group(self) -> str:
        self._depth += 1
        if self._depth > _DEEPEST:
            self.is_too_rich = True
            self._at = len(self._signs)
        inside = self.rest()
        self._depth -= 1
        return inside

    def _argument(self) -> str:
        while self._at < len(self._signs):
            sign = self._take()
            if not sign.isspace():
                return self._group() if sign == "{" else self._command(sign[1:]) if sign[0] == "\\" else sign
        return ""

    def _raised(self, power: str) -> str:
        if power in ("°", "′"):
            return power
        plain = power.replace(" ", "")
        if plain and not plain.strip("0123456789+-n"):
            return plain.translate(SUPERSCRIPT_DIGITS)
        return self._power.format(power)

    def _command(self, name: str) -> str:
        if name in ("frac", "dfrac", "tfrac"):
            over, under = self._argument(), self._argument()
            return f"{_in_brackets(over)}/{_in_brackets(under)}"
        if name == "sqrt":
            return f"{self._root()}√{_in_brackets(self._argument())}"
        if name in _SYMBOLS:
            return _SYMBOLS[name]
        if name in _SPACES:
            return " "
        # \sin, \log and \max are read as they are written, and so is what nobody knows.
        return "" if name in _NOTHING else name

    def _root(self) -> str:
        if self._signs[self._at : self._at + 1] != ["["]:
            return ""
        self._at += 1
        degree = ""
        while self._at < len(self._signs) and (sign := self._take()) != "]":
            degree += sign
        return degree.translate(SUPERSCRIPT_DIGITS)


def _in_brackets(part: str) -> str:
    part = part.strip()
    return part if part.isalnum() or len(part) < 2 else f"({part})"
