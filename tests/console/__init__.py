"""Tests of what people touch: configuration, control socket, commands, demo."""
