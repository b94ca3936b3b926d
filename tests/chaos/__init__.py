"""Real processes that die: `kill -9` at every await of a close, and what stands afterwards."""
