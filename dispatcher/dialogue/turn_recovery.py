"""Recovery of a turn from stages that are late, fail, or are lost with their workers.

| what happens | before a sentence | after one | to the audio of a sentence |
| --- | --- | --- | --- |
| late | sent again, once | resumed | sent again, once |
| failed | given up | resumed | left out |
| lost | sent again, up to three times | resumed | sent again, up to three times |

A reply is resumed once, from the next sentence, and never after a tool was called: what is done would be
done twice. It ends with the sentences that there are then.
"""

from __future__ import annotations

from dispatcher.dialogue.sentence_audio import SentenceAudio
from dispatcher.dialogue.speech_order import SpeechOrder
from dispatcher.dialogue.stage_attempts import LOST_SENDINGS, StageAttempts
from dispatcher.dialogue.steps import Apologise, BreakOff, SendAgain, Step
from dispatcher.messages import Reply


class TurnRecovery:
    """Rules of sending again, resuming and giving up.

    Attributes:
        has_acted: a tool was called, so the LLM is not sent again.
        cut_reason: why the reply ends with the sentences that there are; None where it does not.
    """

    def __init__(self, attempts: StageAttempts, speech: SpeechOrder) -> None:
        """Recover the turn of these attempts and this speech."""
        self.has_acted = False
        self.cut_reason: str | None = None
        self._attempts = attempts
        self._speech = speech
        self._was_resumed = False

    def on_late(self) -> list[Step]:
        """Send a stage that is late again, or go on without it."""
        if self._attempts.stage != "tts":
            return self._send_again("no answer in time")
        current = self._speech.current
        sentence = self._speech.waiting(current)
        if sentence is None:
            return self._resume_or_give_up("llm: the reply stopped")
        if len(sentence.sendings) >= self._attempts.most_sendings:
            return self.give_up("tts: no answer in time")
        return self._speak_again(current, sentence)

    def on_failed(self, reply: Reply) -> list[Step]:
        """Go on after a stage that failed; one that was sent again, or is over already, is ignored."""
        is_over = reply.text.startswith("asr:") and self._attempts.stage != "asr"
        if is_over or not self._attempts.is_awaited(reply.attempt):
            return []
        return self._resume_or_give_up(reply.text)

    def on_lost(self, reply: Reply) -> list[Step]:
        """Send the work of a lost worker again, unless it was done or sent again since."""
        if reply.text == "tts":
            return self._on_lost_sentence(reply)
        # Until the LLM says something, a message to it may have been lost with the worker of the ASR.
        is_over = self._speech.total is not None or (reply.text == "asr" and self._attempts.has_llm)
        if is_over or not self._attempts.is_awaited(reply.attempt):
            return []
        self._attempts.count_loss()
        return self._resume("llm: worker lost") if self._speech.written else self._send_again("worker lost")

    def give_up(self, reason: str) -> list[Step]:
        """End with an apology: for all of the answer, or for the rest of it."""
        return [BreakOff(reason) if self._speech.spoken else Apologise(reason)]

    def _on_lost_sentence(self, reply: Reply) -> list[Step]:
        sentence = self._speech.waiting(reply.index)
        if sentence is None or not sentence.awaits(reply.attempt):
            return []
        if sentence.losses == LOST_SENDINGS:
            return self.give_up("tts: worker lost")
        return self._speak_again(reply.index, sentence, lost=reply.attempt)

    def _send_again(self, reason: str) -> list[Step]:
        stage = self._attempts.stage
        may_repeat = self._speech.is_empty and not self.has_acted
        attempt = self._attempts.try_spend_sending() if may_repeat else 0
        return [SendAgain(stage, attempt)] if attempt else self.give_up(f"{stage}: {reason}")

    def _speak_again(self, index: int, sentence: SentenceAudio, *, lost: int = 0) -> list[Step]:
        attempt = self._attempts.next_attempt()
        sentence.send_again(attempt, lost=lost)
        return [SendAgain("tts", attempt, index, sentence.text)]

    def _resume_or_give_up(self, reason: str) -> list[Step]:
        return self._resume(reason) if self._speech.written else self.give_up(reason)

    def _resume(self, reason: str) -> list[Step]:
        """Have the rest of a broken reply written by another sending, once; else end with what there is."""
        written = self._speech.written
        if self._was_resumed or self.has_acted:
            self.cut_reason = reason
            self._speech.total = len(written)
            return []
        self._was_resumed = True
        self._speech.reopen()
        return [SendAgain("llm", self._attempts.replace_llm(), len(written), " ".join(written))]
