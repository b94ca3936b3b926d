"""The gateway against real HTTP on loopback: canned answers, and the simulated venue."""
