"""Supervisor: starts the lines of a Procfile, keeps them running, and stops them in order.

`procfile`, `process_spec`, `metrics_ports` and `plan` read what to run; `process`, `process_lifecycle`,
`process_run` and `process_runner` keep one process running, `runner_group` all of them; `readiness`, `ports`,
`disk_watch` and `stuck_workers` watch; `process_output`, `process_table`, `ui_messages` and `terminal_ui`
show it.
"""
