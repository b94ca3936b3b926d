"""Facts with an age or an owner: market rules, bans, ledgers, rows nobody guards (9.10-9.18)."""
