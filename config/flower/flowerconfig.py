"""What Flower shows and how much it keeps; its own options, as `flower --help` lists them.

Address, password and read-only mode are not options here but settings (docs/flower.md), and so is
the broker: launcher.py sets them after this file.
"""

from __future__ import annotations

tasks_columns = "name,args,state,received,runtime,worker"
natural_time = False
# Kept in memory, oldest dropped first: 5000 tasks are some 15 MB and about a thousand turns.
max_tasks = 5000
max_workers = 200
# A worker that was started anew has another name; the old one is forgotten after ten minutes.
purge_offline_workers = 600
inspect_timeout = 1000.0
