"""The canned venues are those of the gateway's own tests."""

from tests.venues.conftest import opened

__all__ = ["opened"]
