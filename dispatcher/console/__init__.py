"""Console: what operators and their Prometheus look at, in a process of its own, so that fronts stay thin.

`stream_tail` follows the streams of decisions and records: `stream_metrics` counts what comes there, and
`recent_turns` keeps the last turns. `snapshot` reads what holds at this moment: `gauges` shows it to
Prometheus, and `live_feed` sends it to the page, section by section (`page_sections`, `static`).
`record_queries` and `store_probe` ask SQL; `access` says who may look and act, with `operator_sessions`;
`operator_actions` does what is clicked; `app` serves.
"""
