"""The rules of a dialogue, without I/O: what comes in is passed in, the clock too.

When an utterance is over, how a reply is cut into sentences, which face goes with it, what the
LLM sees of the past, and the state of a session and of its turn.
"""
