"""A PostgreSQL server for guards in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.storage.postgres import Server


@pytest.fixture
def shared_ledger() -> Iterator[str]:
    """The URL of an empty PostgreSQL database that two processes may open."""
    server = Server()
    server.start()
    try:
        with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
            admin.execute('CREATE DATABASE "shared"')
        yield server.url("shared")
    finally:
        server.stop()
