"""Answers used again: the port `Lookup` around another, for the sources whose routes say how long.

Whoever asks what is being asked already waits for that answer: a question is on its way once. An answer that is a
little too old is used all the same while a new one is fetched beside the call, and in an outage an older one still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from routing_engine.core.asks import Find, Found, SourceDown
from routing_engine.core.model import CachePolicy
from routing_engine.core.ports import TOO_LATE, Clock, Lookup
from routing_engine.lookup.cache import Cache, CacheEntry, Key, key_of
from routing_engine.storage.single_flight import SingleFlight

#: A look-up for all who may want its answer: it ends when nobody waits for it any more, and then at last.
_UNHURRIED_S = 60.0


@dataclass(frozen=True, slots=True)
class _Shared:
    """An answer for all who ask; `early` when the look-up that brought it was begun before anybody waited for it."""

    answer: Found | SourceDown
    early: bool


class CachingLookup:
    """Keeps the port `Lookup`.

    `prints` tell configurations of an integration apart, so that an answer of another field map is not used; `now` is
    seconds since 1970. `refreshing` is asked instead of `lookup` where nobody waits. `timeout_s` is for sources without
    one.
    """

    def __init__(
        self,
        lookup: Lookup,
        cache: Cache,
        prints: Mapping[str, str],
        now: Clock,
        refreshing: Lookup | None = None,
        timeout_s: float = _UNHURRIED_S,
    ) -> None:
        self._refreshing, self._timeout_s = refreshing or lookup, timeout_s
        self._lookup, self._cache, self._prints, self._now = lookup, cache, prints, now
        self._asking = SingleFlight[_Shared](goes_on=False, too_late=TOO_LATE)

    def find(self, ask: Find, left_s: float) -> Coroutine[object, object, Found | SourceDown]:
        """Return what is kept and still counts, else what the source says now, else what it said last.

        Its `origin` and `age_s` tell which of these it is. `left_s` bounds the wait; at 0 nothing is asked.
        """
        # Where nothing is to be kept there is nothing to do here, so nobody passes through here again.
        policy = ask.source.keep
        return self._lookup.find(ask, left_s) if policy is None else self._find_kept(ask, left_s, policy)

    async def _find_kept(self, ask: Find, left_s: float, policy: CachePolicy) -> Found | SourceDown:
        key = key_of(ask, self._prints.get(ask.source.integration, ""))
        entry = self._cache.get(key)
        age_s = self._now() - entry.at if entry is not None else 0.0
        if entry is not None and age_s < _lifetime_s(entry, policy) + policy.refresh_s:
            if age_s >= _lifetime_s(entry, policy):
                self._refresh(key, ask)
            return _as_found(entry, "cache", age_s, f"from the cache, {age_in_words(age_s)} old")
        # Without time left the other look-up says so in its own words.
        answer = await (self._ask_with_others(key, ask, left_s) if left_s > 0 else self._lookup.find(ask, left_s))
        if isinstance(answer, SourceDown) and entry is not None and age_s < policy.stale_for_s:
            return replace(
                _as_found(entry, "snapshot", age_s, f"{answer.why}; its last answer, {age_in_words(age_s)} old"),
                took_ms=answer.took_ms,
            )
        return answer

    @property
    def asking(self) -> int:
        """How many questions are on their way."""
        return len(self._asking)

    async def close(self) -> None:
        """End the look-ups under way."""
        await self._asking.close()

    # ------------------------------------------------------------------------------------- inside

    def _refresh(self, key: Key, ask: Find) -> None:
        """Ask anew in the background, once, and only where nobody else needs the place."""
        early = replace(ask, early=True)
        self._asking.begin(lambda: self._ask(key, early, self._refreshing), key)

    async def _ask_with_others(self, key: Key, ask: Find, left_s: float) -> Found | SourceDown:
        """Wait for the answer to a question, with all others who ask it, each for his own time."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        own_s = ask.source.timeout_s if ask.source.timeout_s is not None else self._timeout_s
        limit_s, shared_ask = min(own_s, left_s), replace(ask, shared=True)
        try:
            done = await self._asking.join(lambda: self._ask(key, shared_ask, self._lookup), key, limit_s)
        except asyncio.CancelledError as error:
            if not time_is_up(error):
                raise  # the caller has hung up
            return _too_late(ask, (loop.time() - began) * 1000)
        if done is None or done.cancelled():  # our time is up, or the engine takes another configuration
            return _too_late(ask, limit_s * 1000)
        shared = done.result()
        if isinstance(shared.answer, SourceDown) and not shared.answer.asked and shared.early and not ask.early:
            # The system was not asked because nobody waited for the answer. We do.
            return await self._ask_with_others(key, ask, max(0.0, left_s - (loop.time() - began)))
        return shared.answer

    async def _ask(self, key: Key, ask: Find, lookup: Lookup) -> _Shared:
        answer = await lookup.find(ask, _UNHURRIED_S)
        # What a mirror gives has an age of its own already, and an outage is no answer.
        if isinstance(answer, Found) and answer.origin == "live":
            self._cache.put(key, CacheEntry(answer.records, self._now(), answer.mismatches, answer.unreadable))
        return _Shared(answer, ask.early)


def _too_late(ask: Find, took_ms: float) -> SourceDown:
    return SourceDown(f"{ask.source.integration}: no answer in time", took_ms)


def _lifetime_s(entry: CacheEntry, policy: CachePolicy) -> float:
    return policy.ttl_s if entry.records else policy.negative_ttl_s


def _as_found(entry: CacheEntry, origin: Literal["cache", "snapshot"], age_s: float, note: str) -> Found:
    records = tuple(replace(record, origin=origin, age_s=round(age_s, 3)) for record in entry.records)
    return Found(records, 0.0, entry.mismatches, entry.unreadable, note, origin, age_s)


def age_in_words(age_s: float) -> str:
    """Return an age as people say it: `40 s`, `3 min`, `26 h`, `5 d`; a unit begins with two of it."""
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60)):
        if age_s >= 2 * seconds:
            return f"{age_s / seconds:.0f} {unit}"
    return f"{age_s:.0f} s"


def time_is_up(error: asyncio.CancelledError) -> bool:
    """Return whether we were cancelled because the time of a look-up that was begun early is up.

    If so, the cancelling counts no more: we are to answer with what we have, instead of ending silently.
    """
    task = asyncio.current_task()
    # The word alone does not do: it may have been raised by a task of our own that was cancelled so.
    if error.args != (TOO_LATE,) or task is None or not task.cancelling():
        return False
    task.uncancel()
    return True
