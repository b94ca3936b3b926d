"""Other people's ledgers, read as positions: freqtrade's, `monitoring.positions`, any query.

Lives here: read-only access to a bot's own database, and what its columns mean. Does not live
here: anything about this program's own tables, or what is done about what is found.
"""

from storage.sources.source import Source, open_source

__all__ = ["Source", "open_source"]
