"""What `dispatcher up` is made of: it starts the lines of a Procfile and keeps them running.

procfile → parts → plan says what to run; process, restart and keeper run one part; readiness, ports
and upfile look at the machine; logs, table and screen tell the operator; supervisor ties them together.
"""
