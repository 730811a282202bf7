"""The requests for single records of one look-up: the same one is sent once, and only some are under way at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from routing_engine.core.model import Json
from routing_engine.core.pace import TURN
from routing_engine.providers.crm.requests import RequestTemplate
from routing_engine.providers.crm.templates import Scope

Ask: TypeAlias = Callable[[RequestTemplate, Scope], Awaitable[Json]]


class AskedOnce:
    """Asks with `ask`, `at_once` at a time. Five contacts of one owner are one question about that owner."""

    def __init__(self, ask: Ask, at_once: int) -> None:
        self._ask = ask
        self._places = asyncio.Semaphore(at_once)
        self._own = asyncio.Lock()
        self._asked: dict[str, asyncio.Future[Json]] = {}

    async def ask(self, request: RequestTemplate, scope: Scope) -> Json:
        """Return the answer; raises what `ask` raises."""
        mark = request.mark(scope)
        if mark not in self._asked:
            self._asked[mark] = asyncio.ensure_future(self._send(request, scope))
        # Shielded: who gives up must not take the answer from the others.
        return await asyncio.shield(self._asked[mark])

    def cancel(self) -> None:
        """End what is still under way."""
        for one in self._asked.values():
            one.cancel()

    async def _send(self, request: RequestTemplate, scope: Scope) -> Json:
        async with self._places:
            turn = TURN.get()
            if turn is None:
                return await self._ask(request, scope)
            # The look-up has one place. Waiting for more of them could wait for look-ups that wait for ours.
            if not self._own.locked() or not turn.take():
                async with self._own:
                    return await self._ask(request, scope)
            try:
                return await self._ask(request, scope)
            finally:
                turn.give()
