"""The venues' request limits: who may send now, who waits, and what has been spent.

Here live the windows of a limit, the limiter with its lanes and bans, an account's access to it,
and the priority that a request carries. Does not live here: each venue's own figures and header
words (`venues.exchanges`), how its refusals are read (`venues.errors`), why somebody asks (the
actors).
"""
