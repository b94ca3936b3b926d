"""Deterministic simulation: the real guard on a simulated market, on a loop with virtual time.

`schedules.py` draws a world's troubles from a seed, `invariants.py` says what must hold after
every step, `mutations.py` proves that it would be noticed, `run.py` runs thousands. What is said
over real sockets, real databases and to real processes is tested elsewhere (`tests/scenarios`,
`tests/chaos`).
"""
