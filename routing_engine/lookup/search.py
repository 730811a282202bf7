"""One look-up: asks the source's integration, within the deadline, whatever the provider does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from routing_engine.core import bounds
from routing_engine.core.asks import Find, Found, SourceDown
from routing_engine.core.field_types import apply_types
from routing_engine.core.model import Record, Source
from routing_engine.core.ports import Ages, Clock, Noted, Provider, Query
from routing_engine.errors import (
    ProviderError,
    ProviderSkipped,
    ProviderThrottled,
    ProviderUnreachable,
    Who,
    traceback_frames,
)
from routing_engine.logger import Logger
from routing_engine.lookup.caching import age_in_words, time_is_up
from routing_engine.lookup.caller_match import CallerMatch, match_caller, queries
from routing_engine.lookup.limiter import Limiter
from routing_engine.settings.integration import Model, RateLimits

_log = Logger()
_LONGEST_WHY = 200
_NO_PLACE = "not asked, its limits left no place in time"
#: Before the one repetition: a server that has just closed its connections is there again.
_PAUSE_S = 0.05
#: A look-up that was given less than this and came late says little about the system.
_FAIR_S = 0.5
_NOT_CUT: Mapping[int, Record] = {}
_NOTHING_TO_SAY = ("", True)
#: Of an integration that nobody bounds; it is obeyed all the same when it asks to be left alone.
_UNBOUNDED = RateLimits(at_a_time=1_000_000, failures=0)


@dataclass(slots=True)
class _Progress:
    """How far a look-up has come: `waiting` for what the integration's limits allow, not for the system itself."""

    ask: Find
    began: float
    waiting: bool = False
    begun: bool = False

    def tell(self, waits: bool) -> None:
        """Note that a further request of it waits for its moment, or has it."""
        self.waiting = waits


class Search:
    """The port `Lookup` over the providers by their integrations' names.

    `models` are the integrations' models by name, `region` is the site's: what is found by the caller's number is
    checked with them, whatever the provider. `timeout_s` is for sources without one. `limiters` spare integrations.
    `logs` says whether outages are logged: nobody needs to read of those that an example wants.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        models: Mapping[str, Mapping[str, Model]],
        region: str,
        timeout_s: float,
        clock: Clock,
        limiters: Mapping[str, Limiter] | None = None,
        logs: bool = True,
    ) -> None:
        self._providers = providers
        self._aged = {name: one for name, one in providers.items() if isinstance(one, Ages)}  # isinstance is slow
        self._models = models
        self._region = region
        self._timeout_s = timeout_s
        self._clock = clock
        self._limiters = limiters or {name: Limiter(name, _UNBOUNDED, clock) for name in providers}
        self._logs = logs
        self._down: set[tuple[str, str]] = set()

    @property
    def down(self) -> frozenset[tuple[str, str]]:
        """The integrations and models that did not answer the last time."""
        return frozenset(self._down)

    async def find(self, ask: Find, left_s: float) -> Found | SourceDown:
        """Return the caller's records in the provider's order, or that the source is down and why.

        The first of the source's time-out and `left_s` ends it. Being cancelled passes through.
        """
        if left_s <= 0:
            return SourceDown("no time was left to ask it", asked=False)
        began = self._clock()
        limit_s = ask.source.timeout_s if ask.source.timeout_s is not None else self._timeout_s
        progress = _Progress(ask, began)
        try:
            # Who shares a look-up leaves it when his own time is up: the next one's may be longer.
            async with asyncio.timeout(left_s if ask.shared else min(limit_s, left_s)):
                answer = await self._ask_by_forms(progress)
        except ProviderSkipped as error:
            return SourceDown(str(error)[:_LONGEST_WHY], self._ms_since(began), asked=False)
        except ProviderError as error:
            down = self._is_down(ask.source, str(error)[:_LONGEST_WHY], self._ms_since(began), error.who)
            return replace(down, throttled=isinstance(error, ProviderThrottled))
        except TimeoutError:
            return self._is_late(progress, left_s >= min(limit_s, _FAIR_S), began)
        except asyncio.CancelledError as error:
            if time_is_up(error):
                return self._is_late(progress, self._clock() - began >= min(limit_s, _FAIR_S), began)
            if _we_are_cancelled():
                raise
            return self._is_broken(ask.source, error, self._ms_since(began))
        except Exception as error:
            return self._is_broken(ask.source, error, self._ms_since(began))
        if self._down:
            self._is_up(ask.source)
        return self._dated(ask.source, answer) if self._aged else answer

    def _dated(self, source: Source, found: Found) -> Found:
        """Say how old an answer is that a mirror has given."""
        provider = self._aged.get(source.integration)
        age_s = None if provider is None else provider.age_s(source.model)
        if age_s is None:
            return found
        return replace(found, note=f"snapshot, {age_in_words(age_s)} old", origin="snapshot", age_s=age_s)

    async def _ask_by_forms(self, progress: _Progress) -> Found:
        """Ask for one spelling of the caller after the other, until there is a record that is the caller's."""
        ask, source = progress.ask, progress.ask.source
        provider = self._providers.get(source.integration)
        if provider is None:
            raise ProviderError(f"there is no integration '{source.integration}'")
        model = self._models.get(source.integration, {}).get(source.model) or Model(source.model, {})
        others, unread, notes = set[str](), set[str](), dict[tuple[str, bool], None]()
        for query in queries(Query(source.model, source.field, ask.value, source.by_caller, ask.caller), model):
            found = await self._request(provider, query, progress)
            notes[_note_of(found)] = None
            if not query.by_caller:  # whatever is found is what was searched for
                match, whole = CallerMatch(found), _NOT_CUT
            else:
                match, whole = await self._match(source, found, query, model)
            if match.mismatches or match.unreadable:
                others.update(map(_identity, match.mismatches))
                unread.update(map(_identity, match.unreadable))
            if match.callers:
                callers = _once([whole.get(id(one), one) for one in match.callers] if whole else match.callers)
                if others or unread:
                    # A record that a join gives twice is the caller's when one of its numbers is.
                    theirs = set(map(_identity, match.callers))
                    others, unread = others - theirs, unread - theirs
                records = tuple([apply_types(one, model.about) for one in callers] if model.about else callers)
                return Found(records, self._ms_since(progress.began), len(others), len(unread), _noted(notes))
        return Found((), self._ms_since(progress.began), len(others), len(unread), _noted(notes))

    async def _match(
        self, source: Source, found: Sequence[Record], query: Query, model: Model
    ) -> tuple[CallerMatch, Mapping[int, Record]]:
        """Return whose the records are, and the whole record by the `id` of each that was cut to be read."""
        fields = model.checked_fields(source.field)
        shown, whole = bounds.bounded(found, fields, source.integration)
        matching = partial(match_caller, shown, query, fields, self._region, model.must_show)
        # Reading a number takes some 75 us: with many of them the other calls would wait.
        many = bounds.characters(shown, fields) > bounds.READ_AT_ONCE
        return await asyncio.to_thread(matching) if many else matching(), whole

    async def _request(self, provider: Provider, query: Query, progress: _Progress) -> Sequence[Record]:
        """Ask once; a second time where the connection broke and the question may well be answered at once."""
        try:
            return await self._limited(provider, query, progress)
        except ProviderUnreachable as error:
            if not error.again:
                raise
            broke = error
        await asyncio.sleep(_PAUSE_S)
        try:
            return await self._limited(provider, query, progress)
        except ProviderSkipped:
            raise broke from None  # it was asked, and that is what came of it

    async def _limited(self, provider: Provider, query: Query, progress: _Progress) -> Sequence[Record]:
        def ask() -> Awaitable[Sequence[Record]]:
            progress.waiting, progress.begun = False, True
            return provider.find(query)

        progress.waiting, source = True, progress.ask.source
        found = await self._limiters[source.integration].run(ask, progress.ask.early, progress.tell)
        bounds.check_count(len(found), source.integration)
        return found

    def _limiter(self, source: Source) -> Limiter:
        return self._limiters[source.integration]

    def _ms_since(self, began: float) -> float:
        return round((self._clock() - began) * 1000, 3)

    def _is_late(self, progress: _Progress, fair: bool, began: float) -> SourceDown:
        """`fair` says that it had as long as a system may need; otherwise its silence is not held against it."""
        source = progress.ask.source
        if progress.waiting:
            left = "its limits left no time for all of its requests" if progress.begun else _NO_PLACE
            return SourceDown(f"{source.integration}: {left}", self._ms_since(began), asked=progress.begun)
        if fair:
            self._limiter(source).late()
        return self._is_down(source, f"{source.integration}: no answer in time", self._ms_since(began))

    def _is_broken(self, source: Source, error: BaseException, took_ms: float) -> SourceDown:
        """A fault of ours. Its traceback is logged without the error's text, which may hold what was searched."""
        if _key(source) not in self._down:
            _log.error(
                "source.failed",
                integration=source.integration,
                source=source.name,
                error=type(error).__name__,
                traceback=traceback_frames(error),
            )
        why = f"{source.integration}: an unexpected error in the engine"
        return self._is_down(source, why, took_ms, "developer")

    def _is_down(self, source: Source, why: str, took_ms: float, who: Who = "network") -> SourceDown:
        if _key(source) not in self._down:
            self._down.add(_key(source))
            if self._logs:
                _log.warning("source.down", integration=source.integration, source=source.name, why=why, who=who)
        return SourceDown(why, took_ms, who=who)

    def _is_up(self, source: Source) -> None:
        if _key(source) in self._down:
            self._down.discard(_key(source))
            _log.info("source.up", integration=source.integration, source=source.name)


def _once(records: Sequence[Record]) -> Sequence[Record]:
    """Return each record once: a join, or a search over several columns, gives the same one twice."""
    if len(records) < 2:
        return records
    found: dict[str, Record] = {}
    for place, record in enumerate(records):
        found.setdefault(record.id or f"\0{place}", record)
    return [*found.values()]


def _note_of(found: Sequence[Record]) -> tuple[str, bool]:
    """Return what is to be said of an answer, and whether anything was asked."""
    return (found.note, found.asked) if isinstance(found, Noted) else _NOTHING_TO_SAY


def _noted(notes: Iterable[tuple[str, bool]]) -> str:
    """Return what to say of all answers: that nothing was asked only where that holds for each of them."""
    notes = tuple(notes)
    if notes == (_NOTHING_TO_SAY,):
        return ""
    asked = any(was_asked for _, was_asked in notes)
    return ", ".join(note for note, was_asked in notes if note and was_asked is asked)


def _identity(record: Record) -> str:
    """Return what tells one record from the next: the same one may be found by two spellings."""
    return record.id or repr(sorted(record.fields.items(), key=str))


def _key(source: Source) -> tuple[str, str]:
    """A source is known by its integration and model: routes that share them share what is known of them."""
    return source.integration, source.model


def _we_are_cancelled() -> bool:
    """Return whether we are cancelled; else a provider has let the end of a task of its own escape."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
