"""Alerts on their way to people: real HTTP and SMTP receivers, a real ledger, the real actors."""
