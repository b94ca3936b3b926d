"""The operators' socket: typed commands and replies over a local unix socket, one JSON line each.

Lives here: the protocol, the `Control` actor that serves it, its clients. Does not live here: how
replies are shown (`console.cli.tables`), and what a command means to an actor.
"""
