"""A worker: a process that carries calls and nothing else, as the first process of the engine tells it."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from routing_engine.channels.agi.server import AgiServer
from routing_engine.config.store import Configuration, FolderInForce
from routing_engine.core.events import CallRouted, Reading
from routing_engine.engine import EnginePart, open_store
from routing_engine.errors import ConfigError, Problem, traceback_frames
from routing_engine.guard import Guard
from routing_engine.logger import Logger, set_up_log
from routing_engine.serving import Serving, calls_of
from routing_engine.subscribers import Host, Subscriber, open_journal, open_log, open_spans
from routing_engine.workers.line import LineBroken, WorkerLine
from routing_engine.workers.messages import (
    Answer,
    Counted,
    Cut,
    Drain,
    Forget,
    Prepare,
    Question,
    Report,
    Routed,
    Saying,
    Serve,
    Speak,
    Take,
    TellNow,
    applied,
)
from routing_engine.workers.places import SharedPlaces
from routing_engine.workers.pool import BACKLOG

#: How often it tells of itself: what it has counted since is lost when it dies.
TELL_EVERY_S = 1.0
#: Without the first process nobody begins a new engine while this one lives: calls under way get so long.
_ALONE_S = 10.0
#: A text is waited for in the first process, which knows the settings' bound. Beyond any of these.
_SPEECH_S = 60.0
_log = Logger()


@dataclass(frozen=True, slots=True)
class WorkerFiles:
    """What a worker inherits: which of how many it is, the line to the first process, the places, the open sockets."""

    number: int
    workers: int
    line: int
    places: int
    sockets: tuple[int, ...]

    @classmethod
    def named(cls, text: str) -> WorkerFiles:
        """Return those that a command line names. Raises `ValueError`."""
        number, workers, line, places, *sockets = map(int, text.split(","))
        return cls(number, workers, line, places, tuple(sockets))


class SpeechElsewhere:
    """Keeps the port `Speech`: the first process has the one synthesiser, and what was said already."""

    def __init__(self, line: WorkerLine) -> None:
        self._line = line
        self.patience_s = _SPEECH_S

    async def sound(self, text: str, language: str) -> str | None:
        """Return the name of a sound; None when there is none in time."""
        try:
            async with asyncio.timeout(self.patience_s):
                found = await self._line.ask(Speak(text, language))
        except (LineBroken, TimeoutError):
            return None
        return found if isinstance(found, str) else None


class WorkerService(Serving):
    """One worker. `run` it until the first process ends it, or is gone."""

    def __init__(self, folder: Path, files: WorkerFiles, line: WorkerLine) -> None:
        part = EnginePart(files.workers, first=False, speech=SpeechElsewhere(line))
        guard = Guard(folder, files.number + 1)
        super().__init__((open_spans, open_log, open_journal, self._open_report), guard, part)
        self._store, self._line, self._files = open_store(folder, plays=False), line, files
        self._places = SharedPlaces(files.places, files.workers, files.number)
        self._known: FolderInForce | None = None
        self._next: Configuration | None = None
        self._counts: Callable[[], Counted] = dict
        self._readings: list[Callable[[], Sequence[Reading]]] = []
        self._routed, self._trial_stale = False, True
        self._at_most_s = _ALONE_S
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Do what the first process says, until it says that it is over."""
        hearing = asyncio.create_task(self._line.run(self._hear, self._reply))
        hearing.add_done_callback(lambda _: self._stopping.set())
        telling = asyncio.create_task(self._tell())
        await self._stopping.wait()
        cut = await self._server.stop(self._at_most_s) if self._server is not None else 0
        telling.cancel()
        self._line.say(self._report())
        self._line.say(Cut(cut))
        if self._server is not None:
            await self.close()
        await self._line.close()
        await asyncio.gather(hearing, telling, return_exceptions=True)

    def drain_alone(self) -> None:
        """End when the calls under way are over, although the first process has not said so."""
        if self._server is not None:
            self._at_most_s = self.calls.newest.configuration.settings.drain_s
        self._stopping.set()

    # ------------------------------------------------------------------------------------- what it is told

    def _hear(self, message: Saying) -> None:
        if isinstance(message, Take):
            self._routed = message.routed
            if self._next is not None:
                self._take(self._next)
        elif isinstance(message, Drain):
            self._at_most_s = message.at_most_s
            if not message.at_most_s and isinstance(self._server, AgiServer):
                self._server.end_now()
            self._stopping.set()

    async def _reply(self, question: Question) -> Answer:
        if isinstance(question, Prepare):
            return await self._prepare(question)
        if isinstance(question, Serve):
            return await self._serve()
        if isinstance(question, Forget):
            return await self._forget(question.e164)
        return self._report() if isinstance(question, TellNow) else None

    async def _prepare(self, told: Prepare) -> tuple[Problem, ...]:
        folder = self._known = applied(self._known, told)
        try:
            self._next = await asyncio.to_thread(self._store.prepare, folder)
        except ConfigError as error:
            return error.problems
        return ()

    async def _serve(self) -> str:
        """Take calls; return why that cannot be."""
        configuration, self._next = self._next, None
        if configuration is None or configuration.settings.listeners.fastagi is None:
            return "there is no configuration that takes calls"
        logging = configuration.settings.logging
        set_up_log(logging.level, logging.format)
        host = Host(configuration, lambda: self.calls.newest, self._events, str, around=self._around, part=self._part)
        await self._open(host)
        self.calls.take(configuration)
        server = AgiServer(self.calls.serve, self._settings_of(configuration.settings), self._places)
        self._server = server
        host.readings.extend((self.calls.readings, lambda: calls_of(server.calls, server.refused)))
        self._make_room(configuration.settings.limits.sessions)
        # Before the first call: who was on trial before a restart is so after it.
        await self._look_at_trial()
        self._settle()
        try:
            await server.listen_on([socket.socket(fileno=one) for one in self._files.sockets], BACKLOG)
        except OSError as error:
            return str(error)
        return ""

    def _take(self, configuration: Configuration) -> None:
        """Decide calls with a configuration from now on."""
        self._next, self._trial_stale = None, True
        self.calls.take(configuration)
        if isinstance(self._server, AgiServer):
            self._server.change(self._settings_of(configuration.settings))
        self._change(configuration)  # the first process says what counts after a restart only
        self._do(self.calls.close_unused())

    # ------------------------------------------------------------------------------------- what it tells

    async def _open_report(self, host: Host) -> Subscriber:
        """Count for the first process, where it has a page of figures, and tell it of calls, where it follows them."""
        self._readings = [lambda: tuple(reading for read in host.readings for reading in read())]
        if host.configuration.settings.listeners.metrics is not None:
            from routing_engine.metrics.meter import CallMeter  # late: a site without the page does not pay for it

            meter = CallMeter()
            meter.subscribe_to(host.events)
            self._counts = meter.tallies.drain
        host.events.subscribe_at_once(CallRouted, self._tell_routed)
        return Subscriber()

    def _tell_routed(self, event: CallRouted) -> None:
        if self._routed:
            self._line.say(Routed(event))

    async def _tell(self) -> None:
        while True:
            self._line.say(self._report())
            await self._look_at_trial()
            await asyncio.sleep(TELL_EVERY_S)

    async def _look_at_trial(self) -> None:
        """Follow what is on trial. Whatever goes wrong here, the calls go on with what is in force."""
        try:
            if self._server is None:
                return
            if self._trial_stale or self._store.trial_changed:
                self._trial_stale = False
                await asyncio.to_thread(self._store.follow_trial)
                await self._follow(self._store)
            await self.guard.look()
        except Exception as error:
            _log.error("configuration.unreadable", error=type(error).__name__, traceback=traceback_frames(error))

    def _report(self) -> Report:
        return Report(self._counts(), tuple(one for read in self._readings for one in read()))

    def _do(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)  # the loop itself would let go of it
        task.add_done_callback(self._tasks.discard)


async def run_worker(folder: Path, files: WorkerFiles) -> None:
    """Be a worker until the first process ends it; SIGTERM lets its calls finish, too."""
    line = await WorkerLine.over(socket.socket(fileno=files.line))
    worker = WorkerService(folder, files, line)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, worker.drain_alone)
    # A terminal sends these to the whole group: the first process says what comes of them.
    for name in (signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(name, lambda: None)
    await worker.run()
