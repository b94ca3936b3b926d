"""Alembic's steps from each schema version to the next. Frozen: a step is never edited later.

What the tables look like now is `storage/tables.py`; nothing here is imported by queries.
"""
