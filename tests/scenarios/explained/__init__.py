"""Scenarios 9: what may be called gone, by which record, and what a lie of the venue may not do.

Each line of the table in `docs/spec/truth.md` that is about absences stands here under its name.
Elsewhere: ghosts that are found as they should be (`test_ghosts`), and what orders do.
"""
