"""What each key of the configuration is for, in a line: the words of `init` and of the reference.

Names, types and defaults are not here: they come from `messages.settings`, by
`console.config.keys`.
"""

from __future__ import annotations

SECTION_HELP: dict[str, str] = {
    "storage": "Where this guard keeps its own records.",
    "control": "How operators reach the running service.",
    "accounts.NAME": "One login at one exchange. Write one such table for each account.",
    "aged": "Positions that have outlived their time, and how they are left.",
    "verdict": "What it takes to believe that a position is there, or is not.",
    "orders": "How a close is worked off at the venue.",
    "orphans": "Positions at a venue that no ledger row knows of, and positions without a stop.",
    "reconciliation": "The comparison of ledger and venue.",
    "alerts": "Who is told of what, and how often.",
    "ledger": (
        "Another program's database, read in place of this guard's own positions. "
        "Without this table the positions are in storage.url."
    ),
    "ledger.api": (
        "freqtrade's REST API: in enforce mode the bot is told at once of what the guard "
        "has closed. Only with source freqtrade; may be left out."
    ),
}

KEY_HELP: dict[str, str] = {
    "mode": "observe changes nothing anywhere and says what it would have done; enforce acts.",
    "data_dir": "Where the ledger, the socket, logs and dumps go unless told otherwise.",
    "storage.url": "sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE.",
    "storage.lease": "For how long an account stays this guard's after its last sign of life.",
    "storage.keep_events": "Events, and alerts that are over, leave the ledger at this age.",
    "storage.export_events": "They go into this file first, as JSON Lines.",
    "control.socket": "The unix socket of the commands. Made with mode 0600.",
    "control.http": "host:port of the metrics and status page.",
    "accounts.NAME.exchange": "The exchange's name as ccxt has it.",
    "accounts.NAME.key": "API key: env:NAME, file:PATH, or the value itself.",
    "accounts.NAME.secret": "API secret, likewise.",
    "accounts.NAME.password": "API passphrase, where the exchange has one.",
    "accounts.NAME.connect": "Carry all of the account's traffic to this loopback host:port.",
    "accounts.NAME.ca_file": "The CA to trust there.",
    "accounts.NAME.on_unknown": (
        "When a position can't be read before its close: proceed, reduce-only, or wait."
    ),
    "accounts.NAME.orphans": "What is done with an orphan besides the alert.",
    "accounts.NAME.orphan_allow": "Only these symbols are adopted, protected or closed.",
    "accounts.NAME.orphan_deny": "Never these.",
    "accounts.NAME.orphan_actions_per_hour": "At most so many such actions in an hour.",
    "accounts.NAME.protect_distance": "How far from the entry price a protecting stop is put.",
    "accounts.NAME.leftovers": (
        "Which resting orders of a position that has ended are cancelled: own, the guard's; or all "
        "that can do nothing but reduce it."
    ),
    "accounts.NAME.settles": "Settle currencies whose positions are guarded.",
    "accounts.NAME.stream": "Follow the position stream: what happens is seen within a second.",
    "accounts.NAME.allow_withdraw": "Take a key that may withdraw. Better make another key.",
    "accounts.NAME.request_timeout": "For how long one request may stay unanswered.",
    "accounts.NAME.share": (
        "How much of each of the venue's rate limits the guard's rounds may use. Orders may "
        "use all of it."
    ),
    "accounts.NAME.options": "Further options for ccxt's exchange class.",
    "aged.max_age": "The age at which a position is aged.",
    "aged.grace": "For how long after that it is left at break-even or better only.",
    "aged.fee": "The venue's fee for one side, for the break-even price.",
    "aged.loss_step": "By how much the tolerated loss grows an hour after grace.",
    "aged.max_loss": "The largest tolerated loss.",
    "aged.market_after": "How long after grace a position is left at market.",
    "aged.scan_every": "How often aged positions are looked for.",
    "aged.validate_every": "How often all aged positions are checked against the venue.",
    "aged.check_every": "How often an aged position's price is looked at.",
    "verdict.confirm_after": "The least time between two reads that confirm an absence.",
    "verdict.settle": (
        "What a bot needs to write its row after its fill: no younger row is called a ghost, and "
        "an ended position's row is its bot's to close for so long."
    ),
    "verdict.fresh": "Within this time all askers share one read.",
    "verdict.stale_after": "A read older than this says nothing any more.",
    "verdict.unexplained": (
        "A position that is gone while nothing says how it ended: alert, or accept its end after "
        "accept_after, with an unknown exit."
    ),
    "verdict.accept_after": "How long it must have been gone before accept closes its row.",
    "verdict.unjudged_after": "What could not be judged for so long is alerted, with the reason.",
    "orders.ladder": "Order types for a close, in the order in which they are tried.",
    "orders.attempts": "How often each of them is tried.",
    "orders.backoff_first": "The first pause between tries; it doubles each time.",
    "orders.backoff_last": "The longest such pause.",
    "orders.rate_limit_wait": "The pause after a venue's rate limit.",
    "orders.aggressive_offset": "How far limit_aggressive goes beyond the last price.",
    "orders.maker_wait": "For how long a limit_maker order may rest.",
    "orders.fill_wait": "For how long an order's fill is waited for.",
    "orders.arrival_limit": "An order that no record knows after this time can't arrive any more.",
    "orphans.every": "How often orphaned and naked positions are looked for.",
    "orphans.remind_every": "How often an orphan's or a naked position's alert is repeated.",
    "reconciliation.every": "How often ledger and venue are compared.",
    "alerts.channels": "Apprise URLs, as secrets: env:NAME or file:PATH for each.",
    "alerts.callable": "package.module:function, called with each alert as well.",
    "alerts.types": "How an alert type is told: on, silent or off. Unnamed ones are on.",
    "alerts.daily_summary": "When the daily proof of life is sent, in UTC.",
    "alerts.remind_every": "How often other lasting alerts are repeated.",
    "ledger.source": "freqtrade, monitoring (its `positions` table), or query (your own).",
    "ledger.url": "Any SQLAlchemy URL. Give it a user that may only read.",
    "ledger.account": "All of its rows are this account's.",
    "ledger.exchanges": "Or: its exchange names, each with the account that it is.",
    "ledger.query": "With source query: a SELECT of the open positions.",
    "ledger.columns": "With source query: our column names, each with the query's.",
    "ledger.unit": "What its quantities count.",
    "ledger.write_back": "Close the rows of ghosts there. Only with source monitoring.",
    "ledger.api.url": "Its api_server, such as http://127.0.0.1:8080.",
    "ledger.api.username": "The api_server's username.",
    "ledger.api.password": "Its password: env:NAME, file:PATH, or the value itself.",
}
