"""Pulling a model: page after page from the other side into the index, whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Protocol, TypeVar

from routing_engine.core.ports import Batch, Clock, Lists
from routing_engine.errors import ProviderMisread, ProviderThrottled, ProviderUnreachable
from routing_engine.mirror import index, index_writer
from routing_engine.mirror.index import IndexState, PullState, SearchColumn
from routing_engine.mirror.schedule import Kind, PullSchedule, suspicious
from routing_engine.settings.mirror import MirrorSettings
from routing_engine.storage.sqlite import DbThread

#: Before a page is asked for again: a pull of an hour need not begin anew because one page of it failed.
PAUSES_S = (1.0, 2.0, 5.0, 15.0, 60.0, 120.0)
#: How many of them there are for the first page, when nothing is lost yet.
_FIRST_PAGE = 2
#: A system that wants to be left alone for longer than this ends the pull.
LONGEST_WAIT_S = 300.0
#: A system whose cursor never comes to an end is not believed.
_MOST_PAGES = 200_000
#: The file has keys beside the texts, and room for a full pull beside the records in force.
_FILE_PER_TEXT = 8
#: A longer cursor is not believed either: each comes back with the next question.
_LONGEST_CURSOR = 4096

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]


class Throttle(Protocol):
    """What decides when an integration may be asked: `lookup.limiter.Limiter` keeps it."""

    async def run(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask when there is a place for it. Raises `ProviderSkipped` when the system is not to be asked now."""


class SuspiciousPull(ProviderMisread):
    """A pull that would lose most of the records. The last good one stays until somebody accepts it."""


class EndlessPull(ProviderMisread):
    """A pull that brings more than a mirror may hold. What it brought is removed, the last good one stays."""


@dataclass(frozen=True, slots=True)
class PullResult:
    """What a pull came to: how many records are there now, how many came, how many of the old ones have gone."""

    model: str
    kind: Kind
    records: int
    came: int
    gone: int


class _Brought:
    """How much one pull has brought; `add` raises when that is more than the settings allow."""

    def __init__(self, what: str, settings: MirrorSettings) -> None:
        self._what, self._settings, self.most_records = what, settings, settings.max_records
        self.records = self.bytes = 0

    def add(self, records: int, size: int) -> None:
        """Count a page. Raises `EndlessPull`."""
        self.records += records
        self.bytes += size
        self.check(self.records, self.bytes)

    def check(self, records: int, size: int) -> None:
        """Raise `EndlessPull` for more than a mirror may hold."""
        if records > self._settings.max_records:
            raise EndlessPull(f"{self._what}: more than {self._settings.max_records:,} records came; raise max_records")
        if size > self._settings.max_mb * 1_000_000:
            raise EndlessPull(f"{self._what}: more than {self._settings.max_mb:,} MB came; raise max_mb")


class Puller:
    """Pulls the models of one integration; whoever calls it holds the lock of the index.

    `lists` is the system, `db` the thread that writes the index, `now` seconds since 1970.
    """

    def __init__(
        self, name: str, lists: Lists, db: DbThread, region: str, limiter: Throttle, now: Clock, sleep: Sleep
    ) -> None:
        self._name, self._lists, self._db, self._region = name, lists, db, region
        self._limiter, self._now, self._sleep = limiter, now, sleep

    async def full(
        self, model: str, schedule: PullSchedule, columns: Iterable[SearchColumn], accept: bool
    ) -> PullResult:
        """Pull every record of a model and put them in the place of those in force.

        `accept` believes it also when most have gone. Raises a `ProviderError`, or what the index raises.
        """
        began = self._now()  # before the first page: what changes meanwhile belongs to the next pull
        before = await self._db.do(index.index_state, model)
        generation = await self._db.do(index_writer.begin, model, columns)
        try:
            came = await self._fill(model, schedule, generation)
        except EndlessPull:
            await self._db.do(index_writer.sweep, model)  # at once: it may be all that the disk holds
            raise
        records = await self._db.do(index_writer.count, generation)
        if not accept and before is not None and before.shape == schedule.prints.shape:
            self._believe(before.records, records, schedule)
        held = IndexState(generation, schedule.prints.shape, schedule.prints.system, records, began, began)
        await self._db.do(index_writer.publish_generation, model, held)
        await self._db.do(index_writer.sweep, model)
        return PullResult(model, "full", records, came, 0)

    async def _fill(self, model: str, schedule: PullSchedule, generation: int) -> int:
        """Put every record into a generation; return how many came."""
        brought = _Brought(f"{self._name}: '{model}'", schedule.settings)
        async for batch in self._pages(model, None, schedule.settings.page_timeout_s):
            brought.add(len(batch.records), await self._put(generation, batch))
            if batch.gone:
                await self._db.do(index_writer.remove, generation, self._region, batch.gone)
            await self._db.do(index_writer.write_pull_state, model, PullState("full", brought.records))
        return brought.records

    async def changes(self, model: str, schedule: PullSchedule, before: IndexState) -> PullResult:
        """Pull what has changed since the last pull began, and a little before that. Raises as `full` does."""
        began, gone = self._now(), dict[str, None]()
        brought, came = _Brought(f"{self._name}: '{model}'", schedule.settings), 0
        there = await self._db.do(index_writer.count, before.generation)  # with what a pull that failed has left
        since = datetime.fromtimestamp(max(0.0, min(before.as_of, began) - schedule.settings.overlap_s), UTC)
        async for batch in self._pages(model, since, schedule.settings.page_timeout_s):
            brought.add(len(batch.records) + len(batch.gone), await self._put(before.generation, batch))
            await self._check_room(before.generation, there + brought.records, brought)
            for record in batch.records:  # deleted and made anew, within one pull
                gone.pop(record.id, None)
            gone.update(dict.fromkeys(batch.gone))
            came += len(batch.records)
            await self._db.do(index_writer.write_pull_state, model, PullState("changes", came))
        # Counted before they go: a list of the deleted that names everybody is not believed either.
        there = await self._db.do(index_writer.count, before.generation)
        known = await self._db.do(index_writer.known, before.generation, list(gone))
        self._believe(there, there - len(known), schedule)
        await self._db.do(index_writer.remove, before.generation, self._region, known)
        records = there - len(known)
        await self._db.do(index_writer.publish_generation, model, replace(before, records=records, as_of=began))
        return PullResult(model, "changes", records, came, len(known))

    async def _check_room(self, generation: int, expected: int, brought: _Brought) -> None:
        """Raise `EndlessPull` when changes have filled the records in force: what they bring stays there."""
        # Changed records are no more than before: counted is only where they could be too many.
        if expected > brought.most_records:
            brought.check(await self._db.do(index_writer.count, generation), 0)
        brought.check(0, int(await self._db.do(index.bytes_per_model) / _FILE_PER_TEXT))

    def _believe(self, before: int, after: int, schedule: PullSchedule) -> None:
        if suspicious(before, after, schedule.settings.most_lost_percent):
            raise SuspiciousPull(
                f"{self._name}: {after} records came where there were {before}, which is not believed; "
                f"if it is right: routing-engine mirror {self._name} --accept"
            )

    async def _put(self, generation: int, batch: Batch) -> int:
        if any(not record.id for record in batch.records):
            raise ProviderMisread(f"{self._name}: a record has no id, so it cannot be mirrored; map the field 'id'")
        return await self._db.do(index_writer.put, generation, self._region, batch.records)

    async def _pages(self, model: str, since: datetime | None, limit_s: float) -> AsyncIterator[Batch]:
        cursor, seen = "", set[bytes]()
        while True:
            batch = await self._page(model, since, cursor, limit_s)
            yield batch
            cursor = batch.cursor
            if not cursor:
                return
            if len(cursor) > _LONGEST_CURSOR:
                raise ProviderMisread(f"{self._name}: a page of '{model}' has a cursor of more than 4 KB")
            # A cursor that comes again would be asked for ever. Kept is a print of it: there are thousands.
            mark = blake2b(cursor.encode("utf-8", "replace"), digest_size=16).digest()
            if mark in seen or len(seen) > _MOST_PAGES:
                raise ProviderMisread(f"{self._name}: the pages of '{model}' go round in a circle")
            seen.add(mark)

    async def _page(self, model: str, since: datetime | None, cursor: str, limit_s: float) -> Batch:
        """Ask for a page, and again after a while when nobody answers; a refusal is final."""
        for pause_s in PAUSES_S if cursor else PAUSES_S[:_FIRST_PAGE]:
            try:
                return await self._ask(model, since, cursor, limit_s)
            except ProviderThrottled as error:
                if error.retry_after_s > LONGEST_WAIT_S:
                    raise
                await self._sleep(max(pause_s, error.retry_after_s))
            except ProviderUnreachable:
                await self._sleep(pause_s)
        # The last try: what it raises is the pull's end.
        return await self._ask(model, since, cursor, limit_s)

    async def _ask(self, model: str, since: datetime | None, cursor: str, limit_s: float) -> Batch:
        async def ask() -> Batch:
            try:
                async with asyncio.timeout(limit_s):
                    return await self._lists.page(model, since, cursor)
            except TimeoutError:
                raise ProviderUnreachable(f"{self._name}: no page of '{model}' in {limit_s:g} s") from None

        return await self._limiter.run(ask)
