"""Migrations of the tables, step by step; Alembic runs the missing ones."""
