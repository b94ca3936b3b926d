"""The ledger, on real databases: SQLite files, and a PostgreSQL that the tests start."""
