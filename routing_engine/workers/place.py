"""One worker as the first process sees it: a process, and the line to it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

from routing_engine.config.store import FolderInForce
from routing_engine.errors import Problem
from routing_engine.logger import Logger
from routing_engine.workers.line import LineBroken, WorkerLine
from routing_engine.workers.messages import (
    Answer,
    Cut,
    Drain,
    Forget,
    Question,
    Report,
    Saying,
    Serve,
    Take,
    TellNow,
    difference,
)

#: A worker tells of itself every second. One that is silent for so long stands still, and is ended.
SILENT_S = 30.0
#: So long a scrape waits for the figures of a worker; then it has those of a second ago.
TELL_S = 1.0

_log = Logger()
#: Takes what a worker tells.
HearWorker: TypeAlias = "Callable[[WorkerPlace, Saying], None]"


class WorkerPlace:
    """A worker, from its begin to its end. `number` counts from 0."""

    def __init__(self, number: int, process: asyncio.subprocess.Process, line: WorkerLine) -> None:
        self.number, self._process, self._line = number, process, line
        self._known: FolderInForce | None = None
        self._turn = asyncio.Lock()
        #: Whether it takes calls.
        self.serves = False
        #: Whether it was told to end.
        self.ends = False
        self.report: Report | None = None
        self.cut = 0

    @classmethod
    async def begin(cls, number: int, of: int, command: Sequence[str], inherited: Sequence[int]) -> WorkerPlace:
        """Start the process with open files. Its command ends with which it is, its line, and their numbers."""
        own, its = socket.socketpair()
        with its:
            files = its.fileno(), *inherited
            words = [*command, ",".join(map(str, (number, of, *files)))]
            process = await asyncio.create_subprocess_exec(*words, pass_fds=files, stdin=asyncio.subprocess.DEVNULL)
        return cls(number, process, await WorkerLine.over(own))

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def knows(self) -> FolderInForce | None:
        """The folder that it has prepared last."""
        return self._known

    async def live(self, hear: HearWorker, reply: Callable[[Question], Awaitable[Answer]]) -> int:
        """Hear it until it ends; return the status, below 0 for the signal that has ended it."""
        try:
            async with asyncio.timeout(SILENT_S) as patience:
                await self._line.run(partial(self._heard, patience, hear), reply)
                return await self._process.wait()
        except TimeoutError:
            # Its callers hear nothing, and the port would give it more of them.
            _log.error("worker.silent", worker=self.number + 1, pid=self.pid, seconds=SILENT_S)
            self.kill()
            return await self._process.wait()
        finally:
            self.serves = False

    async def prepare(self, folder: FolderInForce) -> Sequence[Problem]:
        """Have it read a folder; return the problems that it finds. Raises `LineBroken`."""
        async with self._turn:  # what it is told is what differs from what it knows
            problems = await self._line.ask(difference(self._known, folder))
            self._known = folder
        return problems if isinstance(problems, tuple) else ()

    async def serve(self) -> str:
        """Have it take calls, by what it has prepared; return why it cannot, "" when it does. Raises `LineBroken`."""
        why = await self._line.ask(Serve())
        self.serves = not why
        return str(why or "")

    def take(self, routed: bool) -> None:
        """Have it decide calls with what it has prepared."""
        self._line.say(Take(routed))

    async def forget(self, e164: str) -> int:
        """Have it drop what it holds of a number; return how many answers that was."""
        try:
            dropped = await self._line.ask(Forget(e164))
        except LineBroken:
            return 0
        return dropped if isinstance(dropped, int) else 0

    async def tell(self) -> Report | None:
        """Return its figures of this moment; None when it does not tell them in time."""
        try:
            async with asyncio.timeout(TELL_S):
                report = await self._line.ask(TellNow())
        except (LineBroken, TimeoutError):
            return None
        if not isinstance(report, Report):
            return None
        self.report = report
        return report

    def drain(self, at_most_s: float) -> None:
        """Have it end."""
        self.ends, self.serves = True, False
        self._line.say(Drain(at_most_s))

    def kill(self) -> None:
        """End it at once."""
        if self._process.returncode is None:
            os.kill(self._process.pid, signal.SIGKILL)

    def _heard(self, patience: asyncio.Timeout, hear: HearWorker, message: Saying) -> None:
        patience.reschedule(asyncio.get_running_loop().time() + SILENT_S)
        if isinstance(message, Report):
            self.report = message
        elif isinstance(message, Cut):
            self.cut = message.calls
        hear(self, message)
