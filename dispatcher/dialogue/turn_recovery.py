"""Recovery of a turn from stages that are late, fail, or are lost with their workers.

| what happens | before a sentence | after one | to the audio of a sentence |
| --- | --- | --- | --- |
| late | sent again, once | resumed | sent again, once |
| failed | given up | resumed | left out |
| lost | sent again, up to three times | resumed | sent again, up to three times |

A worker is lost when it shows no life for a second, and may yet live on a busy machine. Its work is sent
again at once. Where that is not possible, a turn gives up if the worker is known to have ended, and else
waits for it as for any stage. A loss whose worker shows life after all does not count.

A reply is resumed once, from the next sentence, and never after a tool was called: what is done would be
done twice. It ends with the sentences that there are then.
"""

from __future__ import annotations

from dispatcher.dialogue.sentence_audio import SentenceAudio
from dispatcher.dialogue.speech_order import SpeechOrder
from dispatcher.dialogue.stage_attempts import LOST_SENDINGS, SENDINGS, StageAttempts
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
        if len(sentence.lost) > LOST_SENDINGS:
            return self.give_up("tts: worker lost")
        if len(sentence.sendings) >= SENDINGS:
            return self.give_up("tts: no answer in time")
        return self._speak_again(current, sentence)

    def on_failed(self, reply: Reply) -> list[Step]:
        """Go on after a stage that failed; one that was sent again, or is over already, is ignored."""
        is_over = reply.text.startswith("asr:") and self._attempts.stage != "asr"
        if is_over or not self._attempts.is_awaited(reply.attempt):
            return []
        return self._resume_or_give_up(reply.text, reply.error)

    def on_lost(self, reply: Reply) -> list[Step]:
        """Send the work of a lost worker again, unless it was done or sent again since.

        What cannot be sent again is given up if the worker has ended, and else waited for.
        """
        if reply.text == "tts":
            return self._on_lost_sentence(reply)
        # Until the LLM says something, a message to it may have been lost with the worker of the ASR.
        is_over = self._speech.total is not None or (reply.text == "asr" and self._attempts.has_llm)
        if is_over or not self._attempts.is_awaited(reply.attempt):
            return []
        self._attempts.count_loss(reply.text, reply.attempt)
        if not reply.last and not self._may_send_again:
            return []
        return self._resume("llm: worker lost") if self._speech.written else self._send_again("worker lost")

    def note_life(self, stage: str, reply: Reply) -> None:
        """Count a loss no more whose worker shows life by a reply of its stage."""
        if stage != "tts":
            self._attempts.note_life(stage, reply.attempt)
        elif (sentence := self._speech.waiting(reply.index)) is not None:
            sentence.lost.discard(reply.attempt)

    def give_up(self, reason: str, error: str = "") -> list[Step]:
        """End with an apology: for all of the answer, or for the rest of it; `error` is as in `Reply`."""
        return [BreakOff(reason) if self._speech.spoken else Apologise(reason, error)]

    @property
    def _may_send_again(self) -> bool:
        if self.has_acted:
            return False
        if self._speech.written:
            return not self._was_resumed
        return self._speech.is_empty and self._attempts.may_send_again

    def _on_lost_sentence(self, reply: Reply) -> list[Step]:
        sentence = self._speech.waiting(reply.index)
        if sentence is None or not sentence.awaits(reply.attempt):
            return []
        if len(sentence.lost) < LOST_SENDINGS:
            return self._speak_again(reply.index, sentence, lost=reply.attempt)
        sentence.lost.add(reply.attempt)
        return self.give_up("tts: worker lost") if reply.last else []

    def _send_again(self, reason: str) -> list[Step]:
        stage = self._attempts.stage
        if not self._may_send_again:
            return self.give_up(f"{stage}: {reason}")
        return [SendAgain(stage, self._attempts.spend_sending())]

    def _speak_again(self, index: int, sentence: SentenceAudio, *, lost: int = 0) -> list[Step]:
        attempt = self._attempts.next_attempt()
        sentence.send_again(attempt, lost=lost)
        return [SendAgain("tts", attempt, index, sentence.text)]

    def _resume_or_give_up(self, reason: str, error: str = "") -> list[Step]:
        return self._resume(reason) if self._speech.written else self.give_up(reason, error)

    def _resume(self, reason: str) -> list[Step]:
        """Have the rest of a broken reply written by another sending, once; else end with what there is."""
        written = self._speech.written
        if not self._may_send_again:
            self.cut_reason = reason
            self._speech.total = len(written)
            return []
        self._was_resumed = True
        self._speech.reopen()
        return [SendAgain("llm", self._attempts.replace_llm(), len(written), " ".join(written))]
