"""The rate limiter: alone in virtual time, and on simulated venues that enforce their limits."""
