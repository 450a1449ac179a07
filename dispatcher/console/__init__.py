"""Console: what operators and their Prometheus look at, in a process of its own, so that fronts stay thin.

`stream_tail` follows the streams of decisions and records, `stream_metrics` counts what comes there;
`snapshot` reads what holds at this moment and `gauges` shows it; `store_probe` asks SQL; `app` serves.
"""
