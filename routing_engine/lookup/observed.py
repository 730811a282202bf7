"""Look-ups as facts that others hear, such as metrics. Stands around another `Lookup`, where somebody hears."""

from __future__ import annotations

import asyncio
from typing import Literal

from routing_engine.core.asks import Find, Found, SourceDown
from routing_engine.core.events import LookedUp, LookupOutcome, LookupPurpose, Publish
from routing_engine.core.ports import Clock, Lookup
from routing_engine.errors import Who


class ObservedLookup:
    """Keeps the port `Lookup`, and publishes what came of each look-up.

    `hears` says which: those of the system itself, or those that were answered from what is kept. `purpose` is what
    they are for, where the look-up itself does not know.
    """

    def __init__(
        self,
        lookup: Lookup,
        publish: Publish,
        clock: Clock,
        hears: Literal["live", "kept"] = "live",
        purpose: LookupPurpose = "call",
    ) -> None:
        self._lookup, self._publish, self._clock = lookup, publish, clock
        self._hears, self._purpose = hears, purpose

    async def find(self, ask: Find, left_s: float) -> Found | SourceDown:
        """Return the other's answer."""
        began = self._clock()
        try:
            answer = await self._lookup.find(ask, left_s)
        except asyncio.CancelledError:
            if self._hears == "live":
                self._tell(ask, "dropped", began)
            raise
        live = not isinstance(answer, Found) or answer.origin == "live"
        if live == (self._hears == "live"):
            self._tell(ask, _outcome(answer), began, answer)
        return answer

    def _tell(self, ask: Find, outcome: LookupOutcome, began: float, answer: Found | SourceDown | None = None) -> None:
        origin, age_s = (answer.origin, answer.age_s) if isinstance(answer, Found) else ("live", 0.0)
        source, took_s = ask.source, self._clock() - began
        purpose: LookupPurpose = "early" if ask.early and self._purpose == "call" else self._purpose
        who: Who = answer.who if isinstance(answer, SourceDown) else "nobody"
        event = LookedUp(source.integration, source.name, source.model, outcome, took_s, origin, purpose, age_s, who)
        self._publish(event)


def _outcome(answer: Found | SourceDown) -> LookupOutcome:
    if isinstance(answer, Found):
        return "found" if answer.records else "none"
    if answer.throttled:
        return "throttled"
    return "down" if answer.asked else "skipped"
