"""Who waits until a call is what it should be by now: what a PBX was told is believed once it is heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from routing_engine.calls.call import Call
from routing_engine.calls.changes import CallChanged


@dataclass(eq=False, slots=True)
class AwaitedCall:
    """What becomes true of a call. `seen` within so many seconds."""

    call_id: str
    holds: Callable[[Call], bool]
    found: asyncio.Future[Call]

    async def seen(self, timeout_s: float) -> Call | None:
        """Return the call as it became so; None where it did not in time."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self.found
        except TimeoutError:
            return None


class CallChanges:
    """Hears of every change of a call. Begin to wait before the PBX is told, or the change may be missed."""

    def __init__(self) -> None:
        self._awaited: dict[str, set[AwaitedCall]] = {}

    def heard(self, event: CallChanged) -> None:
        """Look whether somebody waits for that."""
        for one in self._awaited.get(event.call.id, ()):
            if not one.found.done() and one.holds(event.call):
                one.found.set_result(event.call)

    def expect(self, call_id: str, holds: Callable[[Call], bool]) -> AwaitedCall:
        """Begin to wait."""
        one = AwaitedCall(call_id, holds, asyncio.get_running_loop().create_future())
        self._awaited.setdefault(call_id, set()).add(one)
        one.found.add_done_callback(lambda _: self._let_go(one))
        return one

    def _let_go(self, one: AwaitedCall) -> None:
        waiting = self._awaited.get(one.call_id, set())
        waiting.discard(one)
        if not waiting:
            self._awaited.pop(one.call_id, None)
