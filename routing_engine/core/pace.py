"""The requests of one look-up, as the limits of its integration let them begin: pages, `each` and log-ins too.

A look-up was let through for one request, and has one place. Who sends knows no limiter: it asks here.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol


class Turn(Protocol):
    """What the limiter allows the look-up under way."""

    async def request(self) -> None:
        """Wait until one more request may begin; the first one may at once."""

    def take(self) -> bool:
        """Take a further place for a request beside the others, if one is free now."""

    def give(self) -> None:
        """Return such a place."""


#: Of the look-up under way; None where nobody bounds it, such as in a check of the connection.
TURN: ContextVar[Turn | None] = ContextVar("TURN", default=None)


async def paced() -> None:
    """Wait until the look-up under way may send one more request."""
    if (turn := TURN.get()) is not None:
        await turn.request()
