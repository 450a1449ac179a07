"""Turns, samples, alerts and decisions in SQL. Only the control worker and `dispatcher records` import it."""
