"""One PBX that is followed: what its watcher hears goes through the tracker, and on to the book of calls."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import suppress

from routing_engine.call_book import CallBook
from routing_engine.calls.call import CallContact
from routing_engine.calls.changes import CallChanged, PbxReached, uuid7
from routing_engine.calls.pbx_events import PbxEvent
from routing_engine.calls.site import PbxSite
from routing_engine.calls.tracker import CallTracker, TrackedCall
from routing_engine.config.load import Configuration
from routing_engine.contacts import routed_contact
from routing_engine.core.events import Publish, Reading
from routing_engine.core.model import Decision
from routing_engine.errors import RoutingEngineError, StorageError, traceback_frames
from routing_engine.logger import Logger
from routing_engine.pbx.recordings import Recordings
from routing_engine.pbx.watcher import PbxWatcher
from routing_engine.settings.pbx import Pbx
from routing_engine.storage.database import Database

_LOOK_AGAIN_S = 1.0

_log = Logger()


class FollowedPbx:
    """One PBX: what its watcher hears goes through the tracker, and on to the book of calls, in order."""

    def __init__(
        self, pbx: Pbx, site: PbxSite, configuration: Configuration, book: CallBook, publish: Publish = lambda _: None
    ) -> None:
        self.pbx = pbx
        self._book = book
        self.tracker = CallTracker(site, lambda at: uuid7(at, secrets.randbits(74)))
        self.tracker.resume(book.open_calls(pbx.name))
        self._told: asyncio.Queue[TrackedCall] = asyncio.Queue()
        self._failed = False
        folder = configuration.settings.folder
        self.watcher = PbxWatcher(
            pbx,
            folder,
            self._hear,
            missing=lambda: self.tracker.missing,
            reached=lambda: publish(PbxReached(pbx.name)),
            heard_until=self._heard_until,
        )
        self._task = asyncio.create_task(self._carry(), name=f"calls of {pbx.name}")
        self.watcher.start()

    def _hear(self, event: PbxEvent) -> None:
        try:
            for tracked in self.tracker.take(event):
                self._told.put_nowait(tracked)
        except Exception as error:
            # A fault of ours with one call; all others are followed on.
            if not self._failed:
                frames = traceback_frames(error)
                name, kind = type(event).__name__, type(error).__name__
                _log.error("pbx.event_failed", pbx=self.pbx.name, name=name, error=kind, traceback=frames)
            self._failed = True

    async def _heard_until(self) -> float | None:
        with suppress(StorageError):  # it is down: what it knows is taken up later
            return await self._book.newest_start(self.pbx.name)
        return None

    async def _carry(self) -> None:
        while True:
            change = await self._told.get()
            try:
                await self._book.take([change])
            except RoutingEngineError as error:
                _log.error("call.not_kept", call=change.call.id, why=str(error))

    async def close(self) -> None:
        """End the connection; what was heard is in the book."""
        await self.watcher.close()
        while not self._told.empty():
            await self._book.take([self._told.get_nowait()])
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class CallTasks:
    """Work around calls that nobody waits for: a fault in it is told, and `close` ends it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """How much of it is under way."""
        return len(self._tasks)

    def do(self, work: Coroutine[object, object, None]) -> None:
        """Begin it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("calls.failed", error=type(error).__name__, traceback=traceback_frames(error))

    async def close(self) -> None:
        """End what is under way."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class RecordingsInForce(Mapping[str, Recordings]):
    """Where the recordings of each PBX are that has some for us. `make` is asked for one that is new or has changed."""

    def __init__(self, tasks: CallTasks, make: Callable[[Pbx], Recordings | None]) -> None:
        self._tasks, self._make = tasks, make
        self._kept: dict[str, tuple[Pbx, Recordings]] = {}

    def change(self, pbxs: Mapping[str, Pbx]) -> None:
        """Take what a reload brings."""
        before, self._kept = self._kept, {}
        for name, pbx in pbxs.items():
            if name in before and before[name][0] == pbx:
                self._kept[name] = before.pop(name)
            elif (found := self._make(pbx)) is not None:
                self._kept[name] = pbx, found
        for _, gone in before.values():
            self._tasks.do(gone.close())

    def __getitem__(self, pbx: str) -> Recordings:
        return self._kept[pbx][1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    async def close(self) -> None:
        """Let go of their connections."""
        for recordings in self.values():
            await recordings.close()


class EndedCalls:
    """Counts the calls that end, and writes a line for each."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()

    def hear(self, event: CallChanged) -> None:
        """Look whether a change is the end of a call."""
        call = event.call
        if "call.ended" not in event.kinds or call.merged_into is not None:
            return
        self._counts[call.direction, call.outcome or "unknown"] += 1
        _log.info(
            "call.followed",
            call=call.id,
            pbx=call.pbx,
            direction=call.direction,
            outcome=call.outcome,
            user=call.user,
            queue=call.queue,
            duration_s=call.duration_s,
        )

    def readings(self) -> Iterator[Reading]:
        """Yield how many ended, for metrics."""
        for (direction, outcome), count in self._counts.items():
            yield Reading("followed_calls_total", count, (direction, outcome))


async def take_up_later(database: Database, book: CallBook, pbxs: Mapping[str, FollowedPbx]) -> None:
    """Take up the calls of before once the database is there: some have gone on, some have ended meanwhile."""
    while True:
        await asyncio.sleep(_LOOK_AGAIN_S)
        if not database.down:
            with suppress(StorageError):
                for call in await book.take_up():
                    if call.pbx in pbxs:
                        pbxs[call.pbx].tracker.resume([call])
                return


def contact_of(configuration: Configuration, decision: Decision) -> CallContact | None:
    """Return the record that a decision was made with; None where it had none."""
    route = configuration.routes.get(decision.route)
    sources = route.sources if route is not None else ()
    source = next((one for one in sources if one.name == decision.source), None)
    return None if source is None else routed_contact(decision, source.integration, source.model)


def site_of(pbx: Pbx, phones: Mapping[str, str], region: str) -> PbxSite:
    """Return what is ours in a PBX; `phones` says whose each is."""
    return PbxSite(pbx.name, pbx.keys.phones, pbx.keys.trunks, region, phones)
