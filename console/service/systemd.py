"""What systemd wants to hear: ready, alive, stopping. Says nothing where there is no systemd.

The protocol is sd_notify(3): one datagram of NAME=value lines to the socket in NOTIFY_SOCKET.
"""

from __future__ import annotations

import asyncio
import os
import socket


def notify(*lines: str, wait: float = 1.0) -> bool:
    """Tell systemd; False where nobody asked to be told, or reads within `wait` seconds.

    Raises OSError if its socket is gone.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    # An abstract socket is written with @ and addressed with a zero byte.
    target = f"\0{address[1:]}" if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram:
        # A reader that has fallen behind must not hold the guard's loop up.
        datagram.settimeout(wait)
        try:
            datagram.sendto("\n".join(lines).encode(), target)
        except (BlockingIOError, TimeoutError):
            return False
    return True


def watchdog_interval() -> float | None:
    """Seconds between signs of life: half of what systemd allows; None without a watchdog."""
    allowed = os.environ.get("WATCHDOG_USEC", "")
    return int(allowed) / 2_000_000 if allowed.isdigit() and int(allowed) else None


async def keep_watchdog_fed() -> None:
    """Give signs of life for as long as the loop turns; ends at once where nobody wants them."""
    interval = watchdog_interval()
    if interval is None:
        return
    while True:
        notify("WATCHDOG=1", wait=0)
        await asyncio.sleep(interval)
