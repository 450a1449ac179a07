"""Which filler a turn gets, and when."""

from __future__ import annotations

import math

from dispatcher import chains
from dispatcher.catalogue.conversation import FillerRules
from dispatcher.dialogue.filler import FILLER_INDEX
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.messages import Language, TurnTicket


class Aside(str):
    """Text that is shown and spoken, and is no part of the answer: a filler, or word that it broke off."""

    __slots__ = ()


def delay_s(rules: FillerRules, *, is_known: bool) -> float:
    """Return after how long a turn gets a filler; infinity where there is none, or the answer is known."""
    return math.inf if is_known or not rules.after_ms else rules.after_ms / 1000


def ask(context: FrontContext, ticket: TurnTicket, *, said: str) -> str:
    """Have the filler of a turn spoken; return its text, empty where the user's language has none."""
    language = context.apologies.language(ticket, said=said)
    phrase = phrase_of(context.catalogue.conversation.filler, ticket, language)
    if phrase:
        context.spawn(chains.synthesize(context.redis, ticket, index=FILLER_INDEX, text=phrase))
    return phrase


def phrase_of(rules: FillerRules, ticket: TurnTicket, language: Language) -> str:
    """Return one of the phrases of a language, another one in another turn; empty where there is none."""
    phrases = rules.phrases.get(language, ())
    return phrases[sum(ticket.turn_id.encode()) % len(phrases)] if phrases else ""
