"""The demo: a guard beside a careless bot on simulated venues, and what it found."""
