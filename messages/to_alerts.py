"""What is told to the alerts actor, and to the delivery actor behind it."""

from __future__ import annotations

import msgspec

from messages.base import Request
from messages.ledger import (
    Alert,
    AlertDraft,
)


class RaiseAlert(msgspec.Struct, frozen=True, kw_only=True):
    """Told to the alerts actor: store, log and deliver, once for as long as it is open."""

    draft: AlertDraft


class AlertStored(msgspec.Struct, frozen=True, kw_only=True):
    """Told to the alerts actor: this alert was stored together with a ledger write."""

    draft: AlertDraft


class ResolveAlert(msgspec.Struct, frozen=True, kw_only=True):
    """Told to the alerts actor: what the alert was about is over."""

    dedup_key: str
    resolution: str


class AckAlert(Request[Alert | None], frozen=True, kw_only=True):
    """An operator has seen it: reminders stop, the alert stays until it is resolved."""

    alert_id: int
    by: str


class NewNotice(msgspec.Struct, frozen=True):
    """Told to the delivery actor: the outbox has something new."""
