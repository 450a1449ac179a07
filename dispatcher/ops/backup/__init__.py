"""Backup and restore of what a deployment would miss."""
