"""Sums; what cannot be parsed as a whole is not guessed."""

from __future__ import annotations

import ast
import operator
import re
from typing import Final

from simpleeval import InvalidExpression, SimpleEval

from dispatcher.bundled.assistant.numbers import NUMBER, short_number
from dispatcher.bundled.assistant.query import Query
from dispatcher.speech_text.rules import rewrite, rule

_OPERAND: Final = f"({NUMBER})"
_ASKED: Final = (
    r"^(?:and |so |then |tell me |know )*(?:what is|what are|how much is|how much are"
    r"|how many is|calculate|compute|work out|solve"
    r"|what does|what do you get if you)\b(?: (?:the )?(?:answer to|result of|value of))?"
)
# In this order: longer phrases before their parts.
_SIGNS: Final = tuple(
    rule(pattern, replacement)
    for pattern, replacement in (
        # "2 and 2" is a sum only where somebody asks what it is.
        (rf"{_ASKED} {_OPERAND} and {_OPERAND}$", r"\1 + \2"),
        (rf"{_ASKED} {_OPERAND} and {_OPERAND} and {_OPERAND}$", r"\1 + \2 + \3"),
        (_ASKED, ""),
        (r"\b(?:equals?(?: to)?|makes?)\b|= ?$", ""),
        (rf"\badd {_OPERAND} (?:and|to) {_OPERAND}", r"\1 + \2"),
        (rf"\bsubtract {_OPERAND} from {_OPERAND}", r"\2 - \1"),
        (rf"\b(?:the )?product of {_OPERAND} and {_OPERAND}", r"\1 * \2"),
        (rf"\b(?:the )?sum of {_OPERAND} and {_OPERAND}", r"\1 + \2"),
        (rf"\b(?:the )?difference (?:of|between) {_OPERAND} and {_OPERAND}", r"\1 - \2"),
        (rf"\bmultiply {_OPERAND} (?:by|and|with) {_OPERAND}", r"\1 * \2"),
        (rf"\bdivide {_OPERAND} by {_OPERAND}", r"\1 / \2"),
        (r"\b(?:the )?square root of (\d+(?:\.\d+)?)", r"\1 ** 0.5"),
        (rf"{_OPERAND} ?(?:percent|%) of {_OPERAND}", r"\1 / 100 * \2"),
        (rf"\b(?:a )?half of {_OPERAND}", r"\1 / 2"),
        (rf"\b(?:a|one|1) (?:third|3rd) of {_OPERAND}", r"\1 / 3"),
        (rf"\b(?:a|one|1) (?:quarter|fourth) of {_OPERAND}", r"\1 / 4"),
        (rf"\b(?:double|twice) {_OPERAND}", r"2 * \1"),
        (r"\b(?:multiplied by|times)\b|×|(?<=\d) ?x ?(?=\d)", "*"),
        (r"\b(?:divided by|over)\b|÷", "/"),
        (r"\b(?:raised )?to the power of\b|\^", "**"),
        (r"\bsquared\b", "** 2"),
        (r"\bcubed\b", "** 3"),
        (r"\bplus\b", "+"),
        (r"\b(?:minus|less|take away|negative)\b", "-"),
    )
)
_SIGNS_ZH: Final = tuple(
    rule(pattern, replacement)
    for pattern, replacement in (
        (r"^(?:计算一?下?|算算|算一下|算)", ""),
        (r"(?:等于|是|得|一共|总共|结果)*(?:多少|几)?(?:呢|啊)?$|=$", ""),
        (rf"^{_OPERAND}的百分之{_OPERAND}$|^{_OPERAND}的{_OPERAND}%$", r"\1\3*\2\4/100"),
        (rf"^{_OPERAND}的{_OPERAND}分之{_OPERAND}$", r"\1*\3/\2"),
        (rf"^{_OPERAND}的[一1]半$", r"\1/2"),
        (r"根号(\d+(?:\.\d+)?)|(?<![-负\d.])(\d+(?:\.\d+)?)的平方根", r"\1\2**0.5"),
        (rf"{_OPERAND}的{_OPERAND}次方", r"\1**\2"),
        (r"的?平方", "**2"),
        (r"的?立方", "**3"),
        (r"乘以|乘上|乘|×|(?<=\d)x(?=\d)", "*"),
        (r"除以|÷", "/"),
        (r"再?加上|再?加", "+"),
        (r"再?减去|再?减", "-"),
        (r"负", "-"),
    )
)
_EXPRESSION: Final = re.compile(r"[\d.+\-*/ ()]{3,100}")
_HAS_OPERATOR: Final = re.compile(r"\d[ )]*(?:\*\*|[+\-*/])[ (]*-?\d")
_SPOKEN: Final = tuple(
    rule(pattern, replacement)
    for pattern, replacement in (
        (r"(\d+(?:\.\d+)?) ?\*\* ?0\.5", r"the square root of \1"),
        (r" / 100 \* ", " percent of "),
        (r" ?\*\* ?2(?![\d.])", " squared"),
        (r"\*\*", " to the power of "),
        (r"\*", " times "),
        (r"/", " divided by "),
        (r"\+", " plus "),
        (r"-", " minus "),
        (r"\s+", " "),
        (r"^ | $", ""),
    )
)
_SPOKEN_ZH: Final = tuple(
    rule(pattern, replacement)
    for pattern, replacement in (
        (r"(\d+(?:\.\d+)?) ?\*\* ?0\.5", r"根号\1"),
        (r"(?<![\d) ])-", "负"),
        (r"(\d+)\*(\d+)/100(?!\d)", r"\1的百分之\2"),
        (r"\*\*2(?!\d)", "的平方"),
        (r"\*\*(\d+)", r"的\1次方"),
        (r"\*", "乘以"),
        (r"/", "除以"),
        (r"\+", "加"),
        (r"-", "减"),
    )
)
# "5!" is a factorial before a sign; a date or a telephone number is no subtraction.
_NO_SUM: Final = re.compile(r"\d ?! ?[-+*/×÷x]|\d+-\d+-\d+|\b0\d+-\d|\d/\d+/\d|\b\d{3}-\d{4}\b")
_LARGEST: Final = 1e15
_LARGEST_EXPONENT: Final = 64


def work_out(query: Query) -> str | None:
    """Answer a sum."""
    if _NO_SUM.search(query.said):
        return None
    expression = rewrite(query.figures, _SIGNS_ZH if query.language == "zh" else _SIGNS).strip()
    if not _EXPRESSION.fullmatch(expression) or not _HAS_OPERATOR.search(expression):
        return None
    try:
        value = evaluate(expression)
    except ZeroDivisionError:
        return query.say("😲 Nobody can divide by zero.", "😲 除以零可不行，谁也算不出来。")
    except (ValueError, OverflowError):
        return query.say("😲 That number is too large for me.", "😲 这个数太大了，我说不出来。")
    except (InvalidExpression, SyntaxError, TypeError):
        return None
    result = short_number(value)
    spoken = rewrite(expression, _SPOKEN)
    return query.say(
        f"🙂 {spoken[0].upper()}{spoken[1:]} is {result}.",
        f"🙂 {rewrite(expression, _SPOKEN_ZH)}等于{result}。",
    )


def evaluate(expression: str) -> float:
    """Return the value of an expression of numbers and signs.

    Raises:
        ZeroDivisionError: a division by zero.
        ValueError: the result, or something on the way to it, is too large to say.
        InvalidExpression: it is none; so do SyntaxError and TypeError.
    """
    value = SimpleEval(operators=_OPERATORS, functions={}, names={}).eval(expression)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{expression} is no number")
    if abs(value) > _LARGEST:
        raise ValueError(f"{expression} is over {_LARGEST:g}")
    return value


def _power(base: float, exponent: float) -> float:
    """Return the power; a large one would keep the process busy for minutes."""
    if abs(exponent) > _LARGEST_EXPONENT or abs(base) > _LARGEST:
        raise ValueError(f"{base} ** {exponent} is too large")
    value: float = operator.pow(base, exponent)
    return value


_OPERATORS: Final = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: _power,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
