"""Stages of a turn in a worker: ASR, LLM and TTS calls, hedged over instances; no Celery in here.

One LLM call, file by file:

1. `workers.llm` takes the task `llm.respond` and decodes its ticket.
2. `stage` runs the stage on the loop of the process, with deadline, barge-in and a reply for each failure.
3. `llm` puts the dialogue together and has it answered round by round, with tools between the rounds.
4. `hedged_call` starts attempts: one, another where it fails or is late; the first result wins.
   The states of an attempt and what changes them are a table in `attempt`.
5. `attempt_runner` requests leases in their order and calls the instance of the one that it is given.
6. `dispatcher.routing.router` picks, renews and finishes that lease.
7. `reply_writer` reads the stream and cuts it into sentences; the first one takes the win.
8. `reply_publisher` sends each sentence to the TTS queue and to the front.

`asr`, `asr_stream` and `tts` take the same way with other ends; `prefill` only has a prompt read ahead. A
process opens what its tasks share in `worker_context`, runs it in `loop_thread`, and checks its instances in
`warm_up`.
"""
