"""Whoever looks on while a look-up is sent: `integrations try`. A live call has nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from yarl import URL


class HttpExchange(NamedTuple):
    """One request with its answer, for a person who looks on."""

    method: str
    url: URL
    status: int
    body: bytes
    took_ms: float


#: Who looks on in this context.
LOOKS_ON: ContextVar[Callable[[HttpExchange], None] | None] = ContextVar("looks_on", default=None)


@contextmanager
def tapped(tell: Callable[[HttpExchange], None]) -> Iterator[None]:
    """Tell of each exchange within the block, whichever integration sends it."""
    token = LOOKS_ON.set(tell)
    try:
        yield
    finally:
        LOOKS_ON.reset(token)
