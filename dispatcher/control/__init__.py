"""Work of the control queue without Celery; `workers/control.py` has a task of a few lines for each part.

Tuner: `tuner` (one step), `evidence_reader`, `rules` (pure: the tables and the step), `tuner_effects`,
`tuner_store`, `worker_control` (protocol that `workers/celery_ext` implements), `tuner_tables`.
KPIs: `metrics_sampling`, `kpi_evaluation`, `webhook`. Instances: `instance_rounds`.
Catalogue: `watched_file`, `catalogue_watch`. Records: `record_drain`, `device_archive`.
Memories: `memory_update`.
Ground: `overrides`, `owned_lock`, `tick_lock`, `loop_runner`, `log_limit`.
"""
