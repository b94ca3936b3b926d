"""The commands of `sexton`: one function each, grouped by what an operator does.

Lives here: options, calls to the running service, tables. Does not live here: what the service
answers (`console.control`), or how it runs (`console.service`).
"""
