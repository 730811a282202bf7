"""What is known of the other party besides its record: who it is elsewhere, the calls before, and why it came here."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

from routing_engine.calls.call import Call, CallContact
from routing_engine.calls.requests import CallQuery, contact_key
from routing_engine.contacts import other_party
from routing_engine.desk.site import DeskSite
from routing_engine.storage.single_flight import SingleFlight

#: So many calls have their other integrations in memory: those that are on somebody's screen.
_MOST_KNOWN = 500
#: More than are shown: some may be hidden from who asks.
_LOOKED_AT = 50
_REASONS = {
    "matched": "its rule{rule} matched",
    "no_input": "nothing was typed that it could go by",
    "no_record": "nobody with this number was found",
    "no_rule": "none of its rules matched",
    "source_down": "a system that it asks did not answer",
    "anonymous": "the number is withheld",
    "error": "the decision failed, and its default was taken",
}


class KeptCalls(Protocol):
    """The book of calls, as far as what was before is asked of it."""

    async def find(self, wanted: CallQuery) -> tuple[Sequence[Call], str | None]:
        """Return a page of calls."""


class KnownElsewhere:
    """Who the other party is in further integrations: asked once for each call, when somebody looks."""

    def __init__(self, site: Callable[[], DeskSite]) -> None:
        self._site = site
        self._asked: OrderedDict[str, asyncio.Task[list[CallContact]]] = OrderedDict()

    def begin(self, call: Call, but: Sequence[str]) -> asyncio.Task[list[CallContact]]:
        """Return the look-up of a call, begun with the first who asks; nobody has to wait for it."""
        if call.id not in self._asked:
            self._asked[call.id] = asyncio.create_task(self._site().matcher.beside(call, but))
            if len(self._asked) > _MOST_KNOWN:
                self._asked.popitem(last=False)[1].cancel()
        return self._asked[call.id]

    def known(self, call_id: str) -> Sequence[CallContact]:
        """Return who is known of a call elsewhere by now."""
        task = self._asked.get(call_id)
        return task.result() if task is not None and task.done() and not task.cancelled() else ()

    def forget(self, call_id: str) -> None:
        """Ask anew the next time: who it is has changed."""
        if (task := self._asked.pop(call_id, None)) is not None:
            task.cancel()

    async def close(self) -> None:
        """End what is under way."""
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)


class CallsBefore:
    """The calls before of who calls: read once for all pages that ask at the same time, as where many phones ring."""

    def __init__(self, book: KeptCalls) -> None:
        self._book = book
        self._reading: SingleFlight[Sequence[Call]] = SingleFlight()

    async def of(self, call: Call, region: str) -> Sequence[Call]:
        """Return the calls with this contact, or else this number, the newest first, without the call itself."""
        party = other_party(call, region)
        key, number = contact_key(call.contact), None if party is None else party.e164
        return await self._reading.run(lambda: self._read(call.id, key, number), (call.id, key, number))

    async def _read(self, call_id: str, key: str | None, number: str | None) -> Sequence[Call]:
        found: dict[str, Call] = {}
        if key is not None:
            calls, _ = await self._book.find(CallQuery(contact=key, limit=_LOOKED_AT))
            # A call that was linked to it once, and is somebody else's now, is found too.
            found |= {one.id: one for one in calls if contact_key(one.contact) == key}
        if number is not None:
            calls, _ = await self._book.find(CallQuery(number=number, limit=_LOOKED_AT))
            found |= {one.id: one for one in calls}
        found.pop(call_id, None)
        return sorted(found.values(), key=lambda one: one.started_at, reverse=True)

    async def close(self) -> None:
        """End what is under way."""
        await self._reading.close()


def why_here(call: Call) -> str:
    """Return a sentence on why the call came here."""
    if call.route is None:
        return "No route of the engine has decided this call."
    route = call.route
    rule = f" '{route.rule}'" if route.rule else ""
    why = _REASONS.get(route.reason, route.reason).format(rule=rule)
    record = ", for the record that it found" if call.contact is not None and call.contact.matched == "routed" else ""
    return f"The route '{route.name}' sent it here: {why}{record}."
