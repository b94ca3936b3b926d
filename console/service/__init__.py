"""The service as a process: start, reload, logs, channels, systemd, and its end.

Does not live here: the tree of actors (`actors.tree`), the sockets (`console.control`,
`console.web`).
"""
