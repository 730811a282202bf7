"""Answers used again: the port `Lookup` around another, for the sources whose routes say how long.

One flight per question: whoever asks what is being asked already waits for that answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from routing_engine.core.model import Find, Found, Keep, SourceDown
from routing_engine.core.ports import TOO_LATE, Clock, Lookup
from routing_engine.lookup.cache import Cache, Entry, Key, key_of
from routing_engine.lookup.ending import time_is_up

#: A look-up for all who may want its answer: the source's own time-out is what ends it, or that nobody waits any more.
_UNHURRIED_S = 60.0


@dataclass(eq=False, slots=True)
class _Flight:
    task: asyncio.Task[Found | SourceDown]
    early: bool
    waiters: int = 0


class Remember:
    """Keeps the port `Lookup`. `prints` tell configurations of an integration apart; `now` is seconds since 1970.

    `refreshing` is asked instead of `lookup` where nobody waits.
    """

    def __init__(
        self, lookup: Lookup, cache: Cache, prints: Mapping[str, str], now: Clock, refreshing: Lookup | None = None
    ) -> None:
        self._refreshing = refreshing or lookup
        self._lookup, self._cache, self._prints, self._now = lookup, cache, prints, now
        self._flights: dict[Key, _Flight] = {}

    async def find(self, ask: Find, left_s: float) -> Found | SourceDown:
        """Give what is kept and still counts, else what the source says now, else what it said last."""
        keep = ask.source.keep
        if keep is None:
            return await self._lookup.find(ask, left_s)
        key = key_of(ask, self._prints.get(ask.source.integration, ""))
        entry = self._cache.get(key)
        age_s = self._now() - entry.at if entry is not None else 0.0
        if entry is not None and age_s < _lifetime_s(entry, keep) + keep.refresh_s:
            if age_s >= _lifetime_s(entry, keep):
                self._refresh(key, ask)
            return _again(entry, "cache", age_s, f"from the cache, {said_age(age_s)} old")
        answer = await (self._fly(key, ask, left_s) if left_s > 0 else self._lookup.find(ask, left_s))
        if isinstance(answer, SourceDown) and entry is not None and age_s < keep.stale_for_s:
            return replace(
                _again(entry, "snapshot", age_s, f"{answer.why}; its last answer, {said_age(age_s)} old"),
                took_ms=answer.took_ms,
            )
        return answer

    async def close(self) -> None:
        """End what is under way."""
        tasks = [flight.task for flight in self._flights.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------------------------------- inside

    def _refresh(self, key: Key, ask: Find) -> None:
        """Ask anew in the background, once, and only where nobody else needs the place."""
        if key not in self._flights:
            flight = self._take_off(key, replace(ask, early=True), self._refreshing)
            flight.waiters += 1  # nobody's leaving ends it

    async def _fly(self, key: Key, ask: Find, left_s: float) -> Found | SourceDown:
        """Wait for the answer to a question, with all others who ask it: the time of each is his own."""
        flight = self._flights.get(key) or self._take_off(key, ask, self._lookup)
        loop = asyncio.get_running_loop()
        began, took_ms = loop.time(), left_s * 1000
        flight.waiters += 1
        why = TOO_LATE
        try:
            await asyncio.wait({flight.task}, timeout=left_s)
        except asyncio.CancelledError as error:
            if not time_is_up(error):
                why = ""
                raise
            took_ms = (loop.time() - began) * 1000
        finally:
            flight.waiters -= 1
            if not flight.waiters:  # all who waited have gone, and nobody is to join it any more
                self._land(key, flight)
                flight.task.cancel(why)
        if not flight.task.done() or flight.task.cancelled():
            return SourceDown(f"{ask.source.integration}: no answer in time", took_ms)
        found = flight.task.result()
        if isinstance(found, SourceDown) and not found.asked and flight.early and not ask.early:
            return await self._fly(key, ask, max(0.0, left_s - (loop.time() - began)))  # what held it holds not us
        return found

    def _take_off(self, key: Key, ask: Find, lookup: Lookup) -> _Flight:
        flight = _Flight(asyncio.get_running_loop().create_task(self._ask(key, ask, lookup)), ask.early)
        self._flights[key] = flight
        flight.task.add_done_callback(lambda _: self._land(key, flight))
        return flight

    def _land(self, key: Key, flight: _Flight) -> None:
        """Take it off the board, unless another for the same question has taken off meanwhile."""
        if self._flights.get(key) is flight:
            del self._flights[key]

    async def _ask(self, key: Key, ask: Find, lookup: Lookup) -> Found | SourceDown:
        answer = await lookup.find(ask, _UNHURRIED_S)
        if isinstance(answer, Found) and answer.origin == "live":  # what is kept already has an age of its own
            self._cache.put(key, Entry(answer.records, self._now(), answer.strangers))
        return answer


def _lifetime_s(entry: Entry, keep: Keep) -> float:
    return keep.ttl_s if entry.records else keep.negative_ttl_s


def _again(entry: Entry, origin: Literal["cache", "snapshot"], age_s: float, note: str) -> Found:
    records = tuple(replace(record, origin=origin, age_s=round(age_s, 3)) for record in entry.records)
    return Found(records, 0.0, entry.strangers, note, origin, age_s)


def said_age(age_s: float) -> str:
    """Say an age as people do."""
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60)):
        if age_s >= 2 * seconds:
            return f"{age_s / seconds:.0f} {unit}"
    return f"{age_s:.0f} s"
