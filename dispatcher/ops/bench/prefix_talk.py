"""Dialogues of the bench of prefixes: ways to balance and to cut them, and their turns in order."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final

from dispatcher.dialogue.history import Message, chat_messages, count_tokens
from dispatcher.messages import Algorithm
from dispatcher.pipeline.prefill import PLACEHOLDER
from dispatcher.providers.llm.openai_chat import OpenAiChat
from dispatcher.routing.router import Router
from dispatcher.routing.spare_slots import SPARE_ORDER
from dispatcher.tools.model import PromptUsage

CALLERS: Final = 2
PROMPT_WORDS: Final = 800
QUESTION_WORDS: Final = 24
HISTORY_TOKENS: Final = 240
CALL_TIMEOUT_S: Final = 300.0
# An utterance and the silence after it.
SPEECH_S: Final = 3.0
_WORDS: Final = (
    "lamp door kitchen garden music weather window morning evening station river market bread coffee winter "
    "summer train school story colour number water light paper table chair street house friend family"
).split()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixWay:
    """One way to balance and to cut.

    Attributes:
        cut: returns the messages of a request.
        speech_s: how long the user speaks in the first turn of a dialogue.
        has_prefill: whether the prompt is read meanwhile.
    """

    title: str
    algorithm: Algorithm
    has_affinity: bool
    cut: Callable[[str, Sequence[Message], str], list[Message]]
    speech_s: float = 0.0
    has_prefill: bool = False


@dataclass(slots=True, kw_only=True)
class PrefixTimes:
    """Times to the first token in ms, and the tokens of the prompts."""

    first_turns: list[float] = field(default_factory=list)
    later_turns: list[float] = field(default_factory=list)
    prompt_tokens: int = 0
    cached_tokens: int = 0

    @property
    def cached_ratio(self) -> float:
        """Share of the prompts of later turns that was cached."""
        return self.cached_tokens / self.prompt_tokens if self.prompt_tokens else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixPlan:
    """Dialogues of each way, and the turns of each of them."""

    dialogues: int
    turns: int

    @property
    def slots(self) -> int:
        """Dialogues that an instance keeps: both together hold all of them."""
        return self.dialogues // 2


def cut_one_by_one(system_prompt: str, history: Sequence[Message], text: str) -> list[Message]:
    """Return a request with the newest exchanges that fit: it begins anew at every turn once that is full."""
    kept: list[Message] = []
    for at in range(len(history) - 2, -1, -2):
        exchange = list(history[at : at + 2])
        if sum(count_tokens(each.content) for each in [*exchange, *kept]) > HISTORY_TOKENS:
            break
        kept = exchange + kept
    return [Message(role="system", content=system_prompt), *kept, Message(role="user", content=text)]


def cut_in_halves(system_prompt: str, history: Sequence[Message], text: str) -> list[Message]:
    """Return a request as the LLM stage makes it."""
    return chat_messages(system_prompt, history, text, max_tokens=HISTORY_TOKENS)


WAYS: Final = (
    PrefixWay(
        title="round robin, one exchange cut at a time",
        algorithm="round_robin",
        has_affinity=False,
        cut=cut_one_by_one,
    ),
    PrefixWay(
        title="least_connections with affinity, cut to half",
        algorithm="least_connections",
        has_affinity=True,
        cut=cut_in_halves,
    ),
)


PREFILL_WAYS: Final = tuple(
    replace(WAYS[1], title=title, speech_s=SPEECH_S, has_prefill=has_prefill)
    for title, has_prefill in (("read in the turn", False), ("read while the user speaks", True))
)


class PrefixTalk:
    """Dialogues that go one way, turn after turn, each turn's dialogues in another order."""

    def __init__(
        self, plan: PrefixPlan, way: PrefixWay, router: Router, chat: OpenAiChat, *, seed: int
    ) -> None:
        """Prepare dialogues whose prompts no other seed has."""
        self._plan, self._way, self._router, self._chat = plan, way, router, chat
        self._seed, self._rng = seed, random.Random(seed)  # noqa: S311  no secret
        self._times = PrefixTimes()
        self._prompts = [self._words(PROMPT_WORDS) for _ in range(plan.dialogues)]
        self._histories: list[list[Message]] = [[] for _ in range(plan.dialogues)]

    async def run(self, on_turn: Callable[[], None]) -> PrefixTimes:
        """Return the times of all turns; `on_turn` is called after each."""
        for _ in range(self._plan.turns):
            waiting = self._rng.sample(range(self._plan.dialogues), self._plan.dialogues)
            turns = [(at, f"Tell me more of {self._words(QUESTION_WORDS)}") for at in waiting]
            await asyncio.gather(*(self._call(turns, on_turn) for _ in range(CALLERS)))
        return self._times

    async def _call(self, turns: list[tuple[int, str]], on_turn: Callable[[], None]) -> None:
        while turns:
            at, text = turns.pop()
            history = self._histories[at]
            asked = self._way.cut(self._prompts[at], history, text)
            answer = await self._ask(asked, f"{self._seed}-{at}", is_first=not history)
            history += [Message(role="user", content=text), Message(role="assistant", content=answer)]
            on_turn()

    async def _ask(self, messages: list[Message], dialogue: str, *, is_first: bool) -> str:
        """Return the answer; note the time to its first token and the size of its prompt."""
        if is_first and self._way.speech_s:
            await self._speak(messages, dialogue)
        times, answer = self._times, ""
        taken = times.first_turns if is_first else times.later_turns
        async with self._router.lease(
            "llm",
            turn_id=dialogue,
            deadline_at_s=time.time() + CALL_TIMEOUT_S,
            mode="spare",
            dialogue=dialogue if self._way.has_affinity else "",
        ) as lease:
            began_at = time.monotonic()
            async with aclosing(self._chat.chat(lease.instance, messages)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, str):
                        taken += [] if answer else [(time.monotonic() - began_at) * 1000]
                        answer += piece
                    elif isinstance(piece, PromptUsage) and not is_first:
                        times.prompt_tokens += piece.tokens
                        times.cached_tokens += piece.cached or 0
        return answer

    async def _speak(self, messages: list[Message], dialogue: str) -> None:
        """Let the user speak; what is read of the prompt meanwhile is dropped with the end of speech."""
        reading = asyncio.create_task(self._prefill(messages[:-1], dialogue))
        await asyncio.sleep(self._way.speech_s)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    async def _prefill(self, messages: list[Message], dialogue: str) -> None:
        if not self._way.has_prefill:
            return
        asked = [*messages, Message(role="user", content=PLACEHOLDER)]
        async with self._router.lease(
            "llm", turn_id=f"{dialogue}-ahead", deadline_at_s=0.0, dialogue=dialogue, order=SPARE_ORDER
        ) as lease:
            lease.clock.teaches = False
            async with aclosing(self._chat.chat(replace(lease.instance, max_tokens=1), asked)) as pieces:
                async for _ in pieces:
                    pass

    def _words(self, count: int) -> str:
        return " ".join(self._rng.choices(_WORDS, k=count))
