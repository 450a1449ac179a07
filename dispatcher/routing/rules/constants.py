"""Constants of routing, the only place of each: the loader renders them into the Lua scripts as well.

Reasons and formulas: docs/balancing.md.
"""

from __future__ import annotations

from typing import Final

# Priorities, the first choice first; an instance of the last one is for when no other can be relied on.
PRIORITIES: Final = ("high", "normal", "low", "standby")
# Leases, waiting calls and what goes with them; each lease has a time of its own.
SLOT_KEYS_TTL_MS: Final = 60_000

# Counters of usage that wait for the drain of records: more than so many are devices that nobody has, and
# what these use is counted under one name.
USAGE_COUNTERS_MAX: Final = 20_000
USAGE_OTHERS: Final = "(others)"

# Budgets: local instances come first from such a share of one on; what was spent is kept beyond the longest
# month.
BUDGET_NEAR_RATIO: Final = 0.8
BUDGET_HELD: Final = "held:"
BUDGET_TTL_MS: Final = 62 * 24 * 3600 * 1000

# Ejection: how long an instance stays out, twice as long with each further time.
EJECTION_BASE_MS: Final = 5_000
EJECTION_MAX_MS: Final = 300_000
# Outliers: so many failures in a row eject, or such a share of the last calls (Envoy's success rate, for few
# calls).
EJECTION_FAILURES: Final = 3
OUTLIER_WINDOW_CALLS: Final = 10
OUTLIER_FEWEST_CALLS: Final = 5
OUTLIER_FAILED_RATIO: Final = 0.5
# An old failure says nothing of now: after so long without any call the window begins anew.
OUTLIER_WINDOW_IDLE_MS: Final = 60_000
# One that fails again so soon after its return flaps: its next half-open trial lasts for TRIAL_BASE_MS, twice
# as long with each such return. Each such time of good service takes one doubling of the ejection back.
FLAP_MS: Final = 60_000
TRIAL_BASE_MS: Final = 5_000
TRIAL_MAX_MS: Final = 40_000
# So long after the last failure an ejected instance that checks find healthy is half-open, however long it is
# ejected.
CHECKED_HALF_OPEN_AFTER_MS: Final = 15_000
# Failed calls that come closer together than this are one fault.
FAULT_QUIET_MS: Final = 60_000
# Share of the newest call in the error ratio.
ERROR_SHARE: Final = 0.1
# Share of the newest call in the share of prompts that was cached. An instance whose share is this high
# usually knows a prompt; a call below so much of its share was cold, and five such calls in a row are what
# is usual. Until it has had so many calls, one that is below is new rather than slow.
CACHED_SHARE: Final = 0.2
WARM_INSTANCE_RATIO: Final = 0.3
COLD_CALL_FACTOR: Final = 0.5
COLD_START_CALLS: Final = 8

# Slow start: after a recovery the weight grows from the floor to the whole.
SLOW_START_MS: Final = 10_000
SLOW_START_FLOOR: Final = 0.1

# Response times. Peak EWMA: a slower call counts at once, faster ones over LATENCY_DECAY_MS (Finagle's rule).
LATENCY_DECAY_MS: Final = 10_000
# Without calls nothing new is learned: what is known fades, or one slow call would shut an instance out for
# good.
LATENCY_FORGIVE_MS: Final = 30_000
# The last ones stand in one field, each as wide as the others: to add one and drop the oldest is one cut.
RESPONSE_TIMES_KEPT: Final = 100
RESPONSE_TIME_WIDTH: Final = 7
RESPONSE_TIME_MAX_MS: Final = 9_999_999

# Times to a first result are averaged by their logarithms: a fifth of the way for each, three where one is so
# many times as long or as short as usual. One call that takes three times as long makes no instance slow.
FIRST_SHARE: Final = 0.2
FIRST_SURPRISE_SHARE: Final = 0.6
FIRST_SURPRISE_FACTOR: Final = 3
FIRST_MIN_MS: Final = 20
# A result of a slow instance that is shorter by this is a sign that it has recovered: it counts as a
# surprise, and if that is not enough, the next probe comes soon.
FIRST_BETTER_FACTOR: Final = 2

# Slow by the first result: so many times as long as the quickest of its priority, and this much more.
SLOW_FIRST_FACTOR: Final = 2
SLOW_FIRST_AND_MS: Final = 200
# Slow by whole calls (response_time only).
SLOW_CALL_FACTOR: Final = 3
# The first probe of a slow instance comes after PROBE_AFTER_MS, the next ones after as long as it has been
# slow by then, or after so many calls: with the first ones that is one call in fifty.
PROBE_AFTER_MS: Final = 5_000
PROBE_INTERVAL_MAX_MS: Final = 60_000
PROBE_CALLS: Final = 70
HALF_OPEN_PROBE_INTERVAL_MS: Final = 1_000

# A waiting call polls; one that has not done so for this long has no process any more.
WAITER_TTL_MS: Final = 2_000
# Steps of the score of the waiting line. A class is more than any time in µs until the year 2036 after a
# million rounds; a round is longer than any call waits, so that each comes after the one before.
WAITING_CLASS_STEP: Final = 2**51
WAITING_ROUND_STEP: Final = 2**27
# Sentences of others go before a first one only where their devices would fall silent within this.
FIRST_SENTENCE_DUE_S: Final = 0.5
# Class of calls on spare slots: behind every real call, and they do not wait.
SPARE_CLASS: Final = 3
# They leave this share of an instance's slots free.
SPARE_SLOTS_RATIO: Final = 0.5

# Prefix affinity: an instance that served a dialogue holds the beginning of its prompt. It is preferred while
# its load is at most so many times the least one; the preference fades to none in a straight line.
AFFINITY_LOAD_FACTOR: Final = 4
AFFINITY_FADE_MS: Final = 600_000

# The stream of decisions (`dispatcher why`), and the words by which it is read again.
DECISIONS_MAXLEN: Final = 5_000
PROBE_REASON: Final = "probe, unheard"
AFFINITY_REASON: Final = "holds its dialogue"
SPARE_REASON: Final = "on a spare slot"
FAILED_THIS_CALL: Final = "failed this call"

# Of what went wrong, in words, so much is kept.
REASON_CHARACTERS: Final = 200
