"""Who does what: the actors of the guard. `actors.runtime` is the machinery below them.

Lives here: gathering facts, asking the rules, carrying decisions out. Does not live here: SQL,
sockets, ccxt's dicts, or any decision that can be made from facts alone.
"""
