"""The status page, health and metrics over real HTTP, of a guard at the simulated venue."""
