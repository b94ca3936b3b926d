"""The scenarios that must hold, on the whole tree: real ccxt over HTTPS, a real database."""
