"""What the monitors share: one view of an account, verdicts, and the closing of rows.

Lives here: the parts that `orphans`, `reconciliation` and the aged actors have in common.
Does not live here: the actors themselves, or any decision that facts alone can make (`rules`).
"""
