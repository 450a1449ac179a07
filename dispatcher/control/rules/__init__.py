"""Rules of the tuner without I/O: an experimenter takes one action, judges it, and undoes what did not help.

Read in this order: `evidence` (numbers of one moment), `symptoms` (limits, and which cause lasts), `actions`
(the table of kinds: effect and costs), `proposals` (the table of causes: which actions, the gentlest first),
`experiment` (the verdict), `tuner_state` and `tuner_step` (one tick).

A new action is a row of `actions.KINDS` and a function in `proposals.PROPOSALS`; undo is the same changes
backwards.
"""
