"""The actors and their helpers on their own: real HTTP and SMTP receivers, a real ledger."""
