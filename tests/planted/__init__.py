"""Each of the rules of `docs/spec/truth.md` switched off, and the test that notices.

Faults inside the verdict and its accounting, part by part, are in `tests/rules`; those of the
machinery, which drawn schedules must find, in `tests/simulation`.
"""
