"""Every small world of one leg, and what the rule makes of it (`docs/spec/truth.md`).

A world is a sequence of events, one a minute: trades, renames and moves that change what is truly
there, each with a bot that writes it at once, late or never; and looks, each with a list, an
answer by name and a history that may lie. From it the facts are gathered as the guard would, and
judged. Worlds that have come to the same state have the same future, so they are counted together
and continued once.

What must hold, and how many events CI takes, is in test_worlds.py. No test of anything else.
"""
