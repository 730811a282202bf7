"""The workers of an engine, as its first process has them: all take a configuration or none, and one that dies returns.

The first process binds the address and hands the open sockets on, instead of each worker binding it (SO_REUSEPORT): a
connection then waits for whoever is free first, a worker that dies or stands still has none waiting for it alone, and
a second engine on the same address is refused as ever.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from routing_engine.config.store import FolderInForce
from routing_engine.core.events import CallRouted, Reading
from routing_engine.errors import ConfigError, Problem
from routing_engine.logger import Logger
from routing_engine.workers.line import LineBroken
from routing_engine.workers.messages import Answer, Counted, Question, Report, Routed, Saying, Speak
from routing_engine.workers.place import WorkerPlace
from routing_engine.workers.places import SharedPlaces

#: How many connections may wait for a worker that is free.
BACKLOG = 1024
#: So long a worker that dies again and again is left alone at most.
_LONGEST_PAUSE_S = 30.0
#: Beyond the time of the calls under way, for a worker to write what it holds.
_END_S = 15.0
#: What a worker has counted for good is kept when it dies: a counter never goes back.
_COUNTERS = ("_total",)

_log = Logger()


@dataclass(frozen=True, slots=True)
class PoolEars:
    """What the first process does with what workers tell: counts, hears of calls where it follows them, speaks."""

    count: Callable[[Counted], None]
    routed: Callable[[CallRouted], None]
    wants_routed: Callable[[], bool]
    speak: Callable[[str, str], Awaitable[str | None]]


class WorkerPool:
    """`bind`, then `serve`; `prepare` and `take` what a reload brings; `stop` at the end."""

    def __init__(self, folder: Path, workers: int, ears: PoolEars) -> None:
        self._count, self._ears = workers, ears
        # Not what lies in the current folder (-P): a stranger's may be called as we are.
        self._command = (sys.executable, "-P", "-m", "routing_engine.cli", "--config", str(folder), "serve", "--worker")
        self._places = SharedPlaces.make(workers)
        self._sockets: list[socket.socket] = []
        self._workers: dict[int, WorkerPlace] = {}
        self._minding: list[asyncio.Task[None]] = []
        self._in_force: FolderInForce | None = None
        self._next: FolderInForce | None = None
        self._stopping = asyncio.Event()
        self._deaths = 0
        self._left: dict[tuple[str, tuple[str, ...]], float] = {}
        self._addresses: list[str] = []
        self._served = asyncio.Event()

    @property
    def addresses(self) -> list[str]:
        """Where the workers listen, as `host:port`."""
        return self._addresses

    @property
    def calls(self) -> int:
        """How many connections they carry now."""
        return self._places.all()

    @property
    def up(self) -> int:
        """How many of them take calls."""
        return sum(one.serves for one in self._workers.values())

    @property
    def pids(self) -> list[int]:
        """The numbers of their processes."""
        return [self._workers[number].pid for number in sorted(self._workers)]

    async def bind(self, host: str, port: int) -> None:
        """Take the address. Raises `OSError` when it is taken or not ours."""
        self._sockets = await asyncio.to_thread(lambda: list(_bound(host, port)))
        self._addresses = ["{}:{}".format(*one.getsockname()[:2]) for one in self._sockets]

    async def serve(self, folder: FolderInForce) -> None:
        """Begin every worker, and return when all take calls. Raises `ConfigError` or `OSError` when one cannot."""
        self._in_force = self._next = folder
        begun = [await self._begin(number) for number in range(self._count)]
        self._minding = [asyncio.create_task(self._mind(one)) for one in begun]
        try:
            problems = [
                found for every in await asyncio.gather(*(one.prepare(folder) for one in begun)) for found in every
            ]
            if problems:
                raise ConfigError(set(problems))
            # Only now: a caller rather hears the second engine than one that is still reading.
            for one in self._sockets:
                one.listen(BACKLOG)
            why = "".join(await asyncio.gather(*(one.serve() for one in begun)))
        except LineBroken:
            why = "a worker has ended while it started; its own log says why"
        if why:
            raise OSError(why)
        self._tell_take()

    async def prepare(self, folder: FolderInForce) -> None:
        """Have every worker read a folder. Raises `ConfigError` when one of them cannot use it."""
        prepared = (self._prepared(one, folder) for one in self._workers.values() if one.serves)
        problems = {problem for found in await asyncio.gather(*prepared) for problem in found}
        if problems:
            raise ConfigError(problems)
        self._next = folder

    def take(self) -> None:
        """Have every worker decide calls with what was prepared."""
        self._in_force = self._next
        self._tell_take()

    async def forget(self, e164: str) -> int:
        """Have every worker drop what it holds of a number; return how many answers that was."""
        return sum(await asyncio.gather(*(one.forget(e164) for one in self._workers.values())))

    async def look(self) -> None:
        """Get the figures of this moment from every worker."""
        for report in await asyncio.gather(*(one.tell() for one in self._workers.values() if one.serves)):
            if report is not None:
                self._ears.count(report.counted)

    def readings(self) -> Iterator[Reading]:
        """Yield how the workers are, with the counters of those that are no more."""
        for worker in self._workers.values():
            if worker.report is not None:
                yield from worker.report.readings
        for (name, labels), value in self._left.items():
            yield Reading(name, value, labels)
        yield Reading("workers", self.up)
        yield Reading("worker_deaths_total", self._deaths)

    async def stop(self, drain_s: float) -> int:
        """Let calls under way finish for so long, and the workers end; return how many calls were cut."""
        self._stopping.set()
        self._close_sockets()
        ending = list(self._workers.values())
        for worker in ending:
            worker.drain(drain_s)
        if self._minding:
            _, late = await asyncio.wait(self._minding, timeout=drain_s + _END_S)
            for worker in ending if late else ():
                worker.kill()
            await asyncio.gather(*self._minding, return_exceptions=True)
        return sum(worker.cut for worker in ending)

    def end_now(self) -> None:
        """Let no call under way finish."""
        for worker in self._workers.values():
            worker.drain(0)

    # ------------------------------------------------------------------------------------- inside

    async def _begin(self, number: int) -> WorkerPlace:
        self._places.clear(number)
        files = self._places.file, *(one.fileno() for one in self._sockets)
        worker = self._workers[number] = await WorkerPlace.begin(number, self._count, self._command, files)
        return worker

    async def _mind(self, worker: WorkerPlace) -> None:
        """Live with a worker, and with those that come in its place."""
        pause_s, loop = 0.0, asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            self._ended(worker, await self._live(worker))
            # One that dies of what it is given would use up a core by being begun again.
            pause_s = 0.0 if loop.time() - began > _LONGEST_PAUSE_S else min(max(1.0, pause_s * 2), _LONGEST_PAUSE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()
            if not self._stopping.is_set():
                worker = await self._begin(worker.number)

    async def _live(self, worker: WorkerPlace) -> int:
        # At the start `serve` brings all of them up together.
        bringing = asyncio.create_task(self._bring_up(worker)) if self._served.is_set() else None
        status = await worker.live(self._hear, self._reply)
        if bringing is not None:
            bringing.cancel()
        return status

    async def _bring_up(self, worker: WorkerPlace) -> None:
        """Have a worker take calls by what is in force, also when that has changed meanwhile."""
        with suppress(LineBroken):
            while not (worker.serves and worker.knows is self._in_force):
                assert self._in_force is not None, "it is there since the start"
                why = [str(one) for one in await worker.prepare(self._in_force)]
                why += [] if worker.serves or why else filter(None, [await worker.serve()])
                if why:
                    _log.error("worker.refused", worker=worker.number + 1, problems=why)
                    worker.kill()
                    return
                worker.take(self._ears.wants_routed())
            _log.info("worker.ready", worker=worker.number + 1, pid=worker.pid)

    async def _prepared(self, worker: WorkerPlace, folder: FolderInForce) -> Sequence[Problem]:
        try:
            return await worker.prepare(folder)
        except LineBroken:
            return ()  # the one that comes in its place reads what is in force then

    def _tell_take(self) -> None:
        self._served.set()
        for worker in self._workers.values():
            if worker.serves and worker.knows is self._in_force:
                worker.take(self._ears.wants_routed())
            elif worker.serves:  # it was begun while the others prepared
                self._minding.append(asyncio.create_task(self._bring_up(worker)))

    def _ended(self, worker: WorkerPlace, status: int) -> None:
        held = self._places.clear(worker.number)
        self._keep_counters(worker)
        if self._stopping.is_set() or not status:  # it was told to end, by us or by SIGTERM
            return
        self._deaths += 1
        how = f"signal {-status}" if status < 0 else f"status {status}"
        _log.error("worker.died", worker=worker.number + 1, pid=worker.pid, how=how, calls=held)
        if not self.up:
            self._refuse_calls()

    def _keep_counters(self, worker: WorkerPlace) -> None:
        for name, value, labels in worker.report.readings if worker.report is not None else ():
            if name.endswith(_COUNTERS):
                self._left[name, labels] = self._left.get((name, labels), 0) + value
        worker.report = None

    def _refuse_calls(self) -> None:
        """Refuse connections while nobody takes them: the dialplan goes on at once. A worker listens again."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _close_sockets(self) -> None:
        for one in self._sockets:
            one.close()
        self._sockets = []

    def _hear(self, worker: WorkerPlace, message: Saying) -> None:
        if isinstance(message, Report):
            self._ears.count(message.counted)
        elif isinstance(message, Routed):
            self._ears.routed(message.event)

    async def _reply(self, question: Question) -> Answer:
        return await self._ears.speak(question.text, question.language) if isinstance(question, Speak) else None


def _bound(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket for each address of a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, address in dict.fromkeys(found):
        one = socket.socket(family, kind, protocol)
        # As asyncio does it for a listener of one process: a restart finds its port free.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            one.bind(address)
        except OSError as error:
            one.close()
            raise OSError(error.errno, f"bind on address {address[:2]}: {error.strerror}") from None
        yield one
