"""What people touch: configuration, commands, control socket, views."""
