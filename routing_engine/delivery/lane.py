"""One lane worked off: what waits for one target, several calls at once, each call's things one after the other.

The clock is an argument, and so is chance. `turn` takes what may be sent now and says when to look again; whoever has
the real clock (`worker`) calls it in a loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from routing_engine.calls.call import Call, CallDelivery
from routing_engine.delivery.jobs import (
    DROPPED,
    Dead,
    Delivered,
    DeliveryBook,
    Job,
    Queue,
    SendOutcome,
    Skipped,
    Target,
    TryAgain,
)
from routing_engine.delivery.pauses import Chance, TargetGate, pause_s
from routing_engine.errors import RoutingEngineError, UnknownCall, traceback_frames
from routing_engine.logger import Logger

_log = Logger()
#: Longer than any target needs for an entry. Recordings take as long as they are.
SEND_S = 60.0


@dataclass(frozen=True, slots=True)
class Workplace:
    """What every lane works with: where jobs wait, where calls are, what time it is."""

    queue: Queue
    book: DeliveryBook
    now: Callable[[], float]
    chance: Chance


class Lane:
    """What waits for one target. `told` is set whenever there may be something to do.

    `stopped` says why a target was switched off, "" while it is not: what is new for it is dead at once.
    """

    def __init__(self, name: str, target: Target, work: Workplace, send_s: float = SEND_S) -> None:
        self.name, self.target, self._send_s = name, target, send_s
        self.told = asyncio.Event()
        self.stopped = ""
        self._work = work
        self._gate = TargetGate(work.chance)
        self._under_way: dict[asyncio.Task[None], Job] = {}

    @property
    def down(self) -> bool:
        """Whether the target counts as down."""
        return self._gate.closed

    async def turn(self) -> float | None:
        """Begin what may be sent now; return when to look again, None when somebody will tell.

        Raises `StorageError` while the queue does not work.
        """
        while len(self._under_way) < self._gate.places(self._work.now()):
            job = await self._work.queue.claim(self.name, self._work.now())
            if job is None:
                return await self._work.queue.next_due(self.name)
            task = asyncio.create_task(self._carry_out(job), name=f"{self.name} {job.id}")
            self._under_way[task] = job
            task.add_done_callback(self._ended)
        return self._gate.opens_at() if not self._under_way else None

    @property
    def under_way(self) -> tuple[Job, ...]:
        """What is being sent now."""
        return tuple(self._under_way.values())

    async def settle(self) -> None:
        """Wait for all that is under way."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def close(self, within_s: float) -> None:
        """Wait a while for what is under way, and give up the rest: its lease runs out, and it is done again."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=within_s)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.pop(task, None)
        self.told.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # What could not be written down is done again when its lease has run out.
            _log.warning("delivery.not_settled", lane=self.name, error=type(error).__name__, why=str(error)[:200])

    async def _carry_out(self, job: Job) -> None:
        call = await self._work.book.call(job.call_id)
        if call is None:
            # Forgotten meanwhile: so is what was to be written about it.
            await self._work.queue.finish(job, self._work.now())
            return
        await self._settle(job, call, await self._send(job, call))

    async def _send(self, job: Job, call: Call) -> SendOutcome:
        if job.error == DROPPED:
            return Skipped(DROPPED)
        # What is sent again by hand is the only way for a target that was switched off to be asked.
        if self.stopped and job.tries == 1:
            return Dead(self.stopped)
        try:
            async with asyncio.timeout(None if job.kind == "recording" else self._send_s):
                return await self.target.send(job, call)
        except TimeoutError:
            return TryAgain(f"no answer within {self._send_s:g} s")
        except RoutingEngineError as error:
            return TryAgain(str(error))
        except Exception as error:
            # A fault of ours: nothing is lost by it, and the log says where it is.
            frames = traceback_frames(error)
            _log.error("delivery.error", lane=self.name, job=job.id, error=type(error).__name__, traceback=frames)
            return TryAgain(f"an error of the engine: {type(error).__name__}", alone=True)

    async def _settle(self, job: Job, call: Call, outcome: SendOutcome) -> None:
        if isinstance(outcome, TryAgain):
            await self._put_off(job, call, outcome)
            return
        if self._gate.worked():
            _log.info("delivery.target_up", lane=self.name)
            await self._work.queue.release(self.name, self._work.now())
        if isinstance(outcome, Dead):
            await self._bury(job, call, outcome)
        else:
            self.stopped = ""
            await self._finish(job, call, outcome)

    async def _finish(self, job: Job, call: Call, outcome: Delivered | Skipped) -> None:
        now = _delivery(job, call, outcome)
        # First into the call: whoever sends it again after a kill finds the entry's id there, and makes no second one.
        new_entry = now.id is not None and now.id != _known(job, call).id
        if new_entry:
            await self._tell(job, call, now)
        more = await self._work.queue.finish(job, self._work.now())
        if not more and not new_entry:
            await self._tell(job, call, now)

    async def _put_off(self, job: Job, call: Call, outcome: TryAgain) -> None:
        now = self._work.now()
        if not outcome.alone and self._gate.failed(now, outcome.after_s):
            _log.warning("delivery.target_down", lane=self.name, why=outcome.why)
        pause = outcome.after_s or 0.0
        # A job that says itself when to come again, such as a recording, has a plan of its own.
        if not (outcome.alone and outcome.after_s is not None):
            pause = max(pause, pause_s(job.kind, job.tries, self._work.chance))
        await self._work.queue.put_off(job, now + pause, outcome.why)
        waiting = replace(_known(job, call), state="waiting", next_try_at=now + pause, error=outcome.why)
        await self._tell(job, call, replace(waiting, tries=job.tries))

    async def _bury(self, job: Job, call: Call, outcome: Dead) -> None:
        if not self.stopped:
            _log.error("delivery.dead", lane=self.name, job=job.id, call=job.call_id, kind=job.kind, why=outcome.why)
        if outcome.gone and not self.stopped:
            self.stopped = outcome.why
            _log.error("delivery.switched_off", lane=self.name, why=outcome.why)
        await self._work.queue.bury(job, outcome.why, self._work.now())
        dead = replace(_known(job, call), state="dead", next_try_at=None, error=outcome.why)
        await self._tell(job, call, replace(dead, tries=job.tries))

    async def _tell(self, job: Job, call: Call, delivery: CallDelivery) -> None:
        # A recording has a place of its own in the call, which whoever fetches it fills. And a call that has become
        # part of another one must not say of that one how far its own events are.
        if job.kind != "recording" and call.id == job.call_id:
            with suppress(UnknownCall):
                await self._work.book.set_delivery(job.call_id, job.target, delivery)


def _known(job: Job, call: Call) -> CallDelivery:
    """Return what the call says of its target so far: the id of an entry stays whatever becomes of later writes."""
    return call.deliveries.get(job.target, CallDelivery("waiting"))


def _delivery(job: Job, call: Call, outcome: Delivered | Skipped) -> CallDelivery:
    known = _known(job, call)
    if isinstance(outcome, Skipped):
        stands = known.record if outcome.record is None else outcome.record
        return CallDelivery("skipped", job.tries, id=known.id, url=known.url, error=outcome.why, record=stands)
    stands = known.record if outcome.record is None else outcome.record
    return CallDelivery("done", job.tries, id=outcome.id or known.id, url=outcome.url or known.url, record=stands)
