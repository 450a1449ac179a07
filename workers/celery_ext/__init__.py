"""Subclasses of Celery and kombu: pool, consumer, requests, schedule, transport and remote control.

docs/celery-internals.md names the methods of Celery and kombu that each one overrides or relies on;
tests/unit/workers/celery_ext/test_celery_internals.py fails when an upgrade changes one of them.
"""
