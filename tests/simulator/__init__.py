"""The simulated venue, proven with the real ccxt classes over TLS, and in-process."""
