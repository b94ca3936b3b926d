"""Deterministic simulation: the real code on a loop with virtual time."""
