"""Asking the other side as the limits of its integration allow: what the mirror knows of a guard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from routing_engine.errors import ProviderError, ProviderThrottled, ProviderUnreachable

T = TypeVar("T")


class Spares(Protocol):
    """What decides how much an integration is asked: `lookup.guard.Guard` keeps it."""

    async def enter(self, early: bool = False) -> None:
        """Wait for a place. Raises `ProviderHeld` when the system is not to be asked now."""

    def succeeded(self) -> None:
        """Note an answer."""

    def failed(self, retry_after_s: float | None = None) -> None:
        """Note that none came, or that it wants to be left alone for so long."""

    def leave(self) -> None:
        """Give the place back without a verdict."""


async def spared(guard: Spares, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask once, when there is a place for it, and tell the guard what came of it."""
    await guard.enter()
    try:
        found = await ask()
    except ProviderThrottled as error:
        guard.failed(error.retry_after_s)
        raise
    except (ProviderUnreachable, TimeoutError):
        guard.failed()
        raise
    except ProviderError:
        guard.succeeded()  # a refusal is an answer
        raise
    except BaseException:
        guard.leave()
        raise
    guard.succeeded()
    return found
