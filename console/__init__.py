"""What people touch: configuration, commands, control socket, views, the demo.

Lives here: reading and checking the configuration, running the service, the operators' socket
and its clients, what is printed. Does not live here: any decision about a position, any SQL, any
venue's dialect.
"""
