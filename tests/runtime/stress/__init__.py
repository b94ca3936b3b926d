"""Random trees of actors, random ends and orders, and what must hold after every step.

`loop.py` is the virtual loop, `actors.py` what the trees are made of, `trial.py` one tree with its
invariants, `run.py` the command (`make stress`). A seed gives the same history again.
"""
