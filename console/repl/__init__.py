"""The prompt that attaches to a running service: its functions, and how their answers look."""
