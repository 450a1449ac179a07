"""The Celery side: one task per stage of a turn."""
