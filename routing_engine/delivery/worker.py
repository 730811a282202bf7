"""Works the queue off: a lane for each target, so that one that is down or hangs holds up no other.

Opened and closed with the service. Here is the real clock; what it decides is in `lane` and `pauses`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

from routing_engine.core.events import Reading
from routing_engine.delivery.jobs import LEASE_S, JobState, Target, lane_target, pbx_target, recordings_lane
from routing_engine.delivery.lane import Lane, Workplace
from routing_engine.errors import RoutingEngineError, traceback_frames
from routing_engine.logger import Logger

_log = Logger()
#: How often a lane looks by itself: for what another process has put, sent again or dropped.
POLL_S = 5.0
#: How often it looks whether another engine has gone, whose jobs are to be taken over.
LOOK_S = 1.0
#: A queue that says "now" and has nothing to give, because another process was quicker, is asked again so late.
_LEAST_S = 0.05
#: How long the end of the service waits for what is under way; the rest is done again at the next start.
CLOSE_S = 5.0


def lanes_of(
    logs: Mapping[str, Target], webhooks: Mapping[str, Target], recordings: Mapping[str, Target]
) -> dict[str, Target]:
    """Return the targets by the lanes that lead there. `recordings` goes by the names of PBXs, the others by their own.

    A CRM has two lanes: an entry must not wait behind a recording that is not there yet.
    """
    lanes = {**logs, **webhooks}
    lanes |= {recordings_lane(name): target for name, target in logs.items()}
    return lanes | {recordings_lane(pbx_target(name)): target for name, target in recordings.items()}


class DeliveryWorker:
    """Sends what waits. `change` says where to; `told` says that something may be new."""

    def __init__(self, work: Workplace, keep_every_s: float = LEASE_S / 3, poll_s: float = POLL_S) -> None:
        self._work, self._keep_every_s, self._poll_s = work, keep_every_s, poll_s
        self._lanes: dict[str, Lane] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._counts: Mapping[tuple[str, JobState], int] = {}
        self._upkeep: Sequence[asyncio.Task[None]] = ()
        self._down = False

    def change(self, targets: Mapping[str, Target]) -> None:
        """Take the targets by the lanes that lead there; what waits for a target that is gone goes on waiting."""
        for name in [*self._lanes.keys() - targets.keys()]:
            self._lanes.pop(name)
            self._tasks.pop(name).cancel()
        for name, target in targets.items():
            if (lane := self._lanes.get(name)) is not None:
                # Whoever has changed the file wants it to be tried again.
                lane.target, lane.stopped = target, lane.stopped if lane.target is target else ""
                lane.told.set()
                continue
            lane = self._lanes[name] = Lane(name, target, self._work)
            self._tasks[name] = asyncio.create_task(self._work_off(lane), name=f"deliveries to {name}")
        if not self._upkeep:
            self._upkeep = [asyncio.create_task(one(), name="deliveries") for one in (self._tick, self._take_over)]

    def told(self, lanes: Iterable[str]) -> None:
        """Look into these lanes now."""
        for name in lanes:
            if (lane := self._lanes.get(name)) is not None:
                lane.told.set()

    def readings(self) -> Iterator[Reading]:
        """Yield what waits and what is dead, by target, for `/metrics`."""
        dead: Counter[str] = Counter()
        for name, lane in self._lanes.items():
            target = lane_target(name)
            dead[target] += self._counts.get((name, "dead"), 0)
            waiting = self._counts.get((name, "waiting"), 0)
            if target != name:
                yield Reading("recordings_pending", waiting, (target,))
                continue
            yield Reading("deliveries_waiting", waiting, (target,))
            yield Reading("delivery_target_down", lane.down or bool(lane.stopped), (target,))
        for target, count in dead.items():
            yield Reading("deliveries_dead", count, (target,))

    async def close(self) -> None:
        """Let what is under way finish, for a while."""
        for task in (*self._upkeep, *self._tasks.values()):
            task.cancel()
        await asyncio.gather(*(lane.close(CLOSE_S) for lane in self._lanes.values()))

    async def _work_off(self, lane: Lane) -> None:
        while True:
            lane.told.clear()
            at = await self._guarded(lane.turn)
            wait = self._poll_s if at is None else min(max(at - self._work.now(), _LEAST_S), self._poll_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await lane.told.wait()

    async def _tick(self) -> None:
        while True:
            await self._guarded(self._keep)
            await self._guarded(self._count)
            await asyncio.sleep(self._keep_every_s)

    async def _take_over(self) -> None:
        while True:
            await self._guarded(self._look)
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        if await self._work.queue.take_back(self._work.now()):
            self.told(self._lanes)

    async def _keep(self) -> None:
        # Also when nothing is under way: by this a queue knows who is alive.
        jobs = [job for lane in self._lanes.values() for job in lane.under_way]
        await self._work.queue.keep(jobs, self._work.now())

    async def _count(self) -> None:
        self._counts = await self._work.queue.counts()

    async def _guarded(self, work: Callable[[], Awaitable[float | None]]) -> float | None:
        """Do a work; while the queue does not work, say so once, and that it works again."""
        try:
            at = await work()
        except RoutingEngineError as error:
            if not self._down:
                _log.error("deliveries.down", why=str(error))
            self._down = True
            return None
        except Exception as error:  # a fault of ours: the lane goes on with the next look
            frames = traceback_frames(error)
            _log.error("deliveries.failed", error=type(error).__name__, traceback=frames)
            return None
        if self._down:
            _log.info("deliveries.up")
        self._down = False
        return at
