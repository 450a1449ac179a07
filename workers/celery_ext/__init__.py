"""Subclasses of Celery and kombu: pools, consumer, requests and schedule."""
