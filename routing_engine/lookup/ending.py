"""How a look-up that was begun early ends when the time of its call is up: not silently, but with what it has."""

from __future__ import annotations

import asyncio

from routing_engine.core.ports import TOO_LATE


def time_is_up(error: asyncio.CancelledError) -> bool:
    """Return whether we were cancelled because time is up. Then we are not cancelled any more, and are to answer."""
    task = asyncio.current_task()
    if error.args != (TOO_LATE,) or task is None or not task.cancelling():
        return False
    task.uncancel()
    return True
