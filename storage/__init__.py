"""The ledger: what must survive, in SQLite or PostgreSQL. SQL stops at this folder."""
