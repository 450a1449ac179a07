"""Connection of one device: packets in, turns, packets out.

The way of an utterance through a front, in order, is eight files:

1. `device_connection` reads messages and sound and gives each to the part that acts on it.
2. `device_reader` makes them of the socket's frames, no faster than one connection may send them.
3. `listen_controller` opens and ends the utterance, by the states of `dialogue.session`, and starts its turn.
4. `microphone` records it, and finds the end of speech where the device does not send it.
5. `turn_runner` runs the turn: replies become steps by the rules of `dialogue.turn`, each step an act.
6. `turn_tasks` sends the turn's tasks to the queues, and again where a stage is late or lost.
7. `reply_pump` brings the replies of workers back to the turn, through `running_turns`.
8. `playback` paces subtitles and packets on an absolute clock; `device_writer` writes them to the socket.

Beside the way: `head_start` (what is done while the user still speaks: sound that is transcribed meanwhile, a
turn that begins at a pause, a prompt that is read), `device_tool_client` (tools that a turn calls),
`turn_phrases` (greeting, filler, apology), `turn_report` (the log line and the record at the end),
`device_profile` (the device in the registry, its persona and language), `unadmitted_device` (a client that is
not the device).
`front_context` holds what connections share; `front_loops` runs the loops beside them.
"""
