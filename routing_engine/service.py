"""A configuration folder becomes a running service: start, reload, drain, stop.

What carries the calls is in `serving`, or in workers; who hears of them is in `subscribers`, and unknown here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from routing_engine.channels.agi.server import AgiServer
from routing_engine.config.refusal import Refusal
from routing_engine.config.store import ConfigStore, Configuration, FolderInForce
from routing_engine.core.events import CallRouted, ConfigurationRefused, Reading
from routing_engine.core.ports import FileFindings
from routing_engine.engine import EnginePart, file_findings
from routing_engine.errors import ConfigError, Problem, traceback_frames
from routing_engine.event_bus import CLOSE_S
from routing_engine.guard import Guard
from routing_engine.logger import Logger
from routing_engine.serving import CallServer, Serving, calls_of
from routing_engine.settings.listeners import ListenerAddress
from routing_engine.settings.paths import state_folder
from routing_engine.storage.forget_note import leave_receipt, note_path, reload_path, take_note
from routing_engine.subscribers import SUBSCRIBERS, Host, OpenSubscriber
from routing_engine.workers.messages import Counted
from routing_engine.workers.pool import PoolEars, WorkerPool

#: How often the configuration folder is looked at. One `stat` a file, in a thread.
POLL_S = 1.0
#: A folder that was refused is tried anew every so many looks: what was wrong may lie elsewhere, as with secrets.
_TRY_AGAIN = 10
_UNKEPT = "a start with a broken folder will find nothing to go on with: let the engine's user write there"
#: So many routes are named in a line of the log; of more it says how many there are.
_NAMED = 50


class Service(Serving):
    """The running engine. `start`, then `run` until `stop` is asked for. `subscribers` hear of what happens.

    With `workers` so many other processes carry the calls, and this one does what exists once.
    """

    def __init__(
        self, store: ConfigStore, subscribers: Sequence[OpenSubscriber] = SUBSCRIBERS, workers: int = 0
    ) -> None:
        super().__init__(subscribers, Guard(store.folder), EnginePart(workers))
        self._store = store
        self._log = Logger()
        self._pool: WorkerPool | None = None
        self._told_files: Mapping[str, FileFindings] = {}
        self._listens = False
        self._told: list[str] = []
        self._unkept = ""
        self._looks = 0

    async def start(self) -> None:
        """Load the configuration, or the last good one, and open the listeners. Raises `ConfigError` or `OSError`."""
        configuration = await asyncio.to_thread(self._store.start)
        settings = configuration.settings
        if settings.listeners.fastagi is None and settings.listeners.http is None:
            raise ConfigError(
                [Problem("engine.yaml", 0, "no listener is named", "add listeners: {fastagi: 127.0.0.1:4573}")]
            )
        await self._open(self._host(configuration))
        self.calls.take(configuration)
        if (refusal := self._store.refusal) is not None:
            self._tell_refusal(refusal)
        # A hub without a PBX of its own routes no calls.
        if settings.listeners.fastagi is not None:
            await self._listen(settings.listeners.fastagi)
        self._listens = True
        await self._tell_files(configuration)
        self._settle()
        self._log.info(
            "service.ready",
            **{"metrics": [], **self.listening},
            routes=sorted(configuration.routes)[:_NAMED],
            more_routes=max(0, len(configuration.routes) - _NAMED),
            revision=configuration.revision,
            pid=os.getpid(),
            workers=[] if self._pool is None else self._pool.pids,
        )
        await self._keep()
        await self._follow(self._store)
        # Behind it: of ten thousand routes they take seconds that callers need not wait for.
        if remarks := await asyncio.to_thread(self._store.remarks):
            told = [str(one) for one in remarks[:_NAMED]]
            self._log.warning("configuration.remarks", remarks=told, more=max(0, len(remarks) - _NAMED))

    async def run(self) -> None:
        """Serve until `stop`; reload when the configuration folder changes."""
        while not self._stopping.is_set():
            try:
                async with asyncio.timeout(POLL_S):
                    await self._stopping.wait()
            except TimeoutError:
                await self._look_for_changes()
        await self._drain()

    async def reload(self, again: bool = False) -> bool:
        """Put the folder's configuration in force, whole; False when it is broken and the last good one stays.

        `again`: nobody has changed it, so that the same problems need no second line in the log.
        """
        try:
            configuration = await asyncio.to_thread(self._store.reload)
        except ConfigError as error:
            await self._refuse(error, again)
            await self._keep()
            await self._follow(self._store)
            return False
        if configuration is self.calls.newest.configuration:  # the folder waits
            await self._keep()
            await self._follow(self._store)
            return True
        self._take(configuration)
        await self._keep()
        await self._follow(self._store)
        if isinstance(self._server, AgiServer):
            self._server.change(self._settings_of(configuration.settings))
            self._make_room(configuration.settings.limits.sessions)
        if kept := self._change(configuration):
            self._log.warning("service.restart_needed", unchanged=kept)
        self._told = []
        self._log.info(
            "configuration.reloaded",
            revision=configuration.revision,
            routes=sorted(configuration.routes)[:_NAMED],
            more_routes=max(0, len(configuration.routes) - _NAMED),
        )
        await self._tell_files(configuration)
        await self.calls.close_unused()
        return True

    async def close(self) -> None:
        """End what still listens, where a start has failed, and close everything."""
        if self._pool is not None:
            await self._pool.stop(0)
        if isinstance(self._server, AgiServer):
            # Usually nobody is left: a drain has ended the calls.
            await self._server.stop(0 if self._hurry else CLOSE_S)
        await super().close()

    # ------------------------------------------------------------------------------------- inside

    def _host(self, configuration: Configuration) -> Host:
        host = Host(
            configuration,
            lambda: self.calls.newest,
            self._events,
            self._why_not_ready,
            self._remark,
            around=self._around,
            part=self._part,
        )
        host.readings.extend((self._readings, self.calls.readings, self.guard.readings))
        if self._part.workers and configuration.settings.listeners.fastagi is not None:
            self._pool = WorkerPool(self._store.folder, self._part.workers, self._ears(host))
            host.readings.append(self._pool.readings)
            host.refresh.append(self._pool.look)
        return host

    def _ears(self, host: Host) -> PoolEars:
        def count(counted: Counted) -> None:
            for one in host.counted:
                one(counted)

        return PoolEars(count, self._events.publish, lambda: self._events.is_heard(CallRouted), self._speak)

    async def _speak(self, text: str, language: str) -> str | None:
        speech = self.calls.newest.speech
        return None if speech is None else await speech.sound(text, language)

    async def _listen(self, address: ListenerAddress) -> None:
        if self._pool is not None:
            self._server = self._pool
            await self._pool.bind(address.host, address.port)
            await self._pool.serve(self._store.texts_in_force)
            self._store.agree = self._agreed_by(self._pool)
            return
        server = AgiServer(self.calls.serve, self._settings_of(self._started_with))
        self._server = server
        self._make_room(self._started_with.limits.sessions)
        await server.listen(address.host, address.port)

    def _agreed_by(self, pool: WorkerPool) -> Callable[[FolderInForce], None]:
        loop = asyncio.get_running_loop()

        def agree(folder: FolderInForce) -> None:
            asyncio.run_coroutine_threadsafe(pool.prepare(folder), loop).result()

        return agree

    def _take(self, configuration: Configuration) -> None:
        self.calls.take(configuration)
        if self._pool is not None:
            self._pool.take()

    async def _look_for_changes(self) -> None:
        """Reload when the folder changed. Whatever goes wrong here, the calls go on with what is in force."""
        try:
            self._looks += 1
            if await asyncio.to_thread(self._store.changed):
                await self.reload()
            elif self._store.refusal is not None and self._looks % _TRY_AGAIN == 0:
                await self.reload(again=True)
            await self._read_notes(state_folder(self._store.folder))
            await self.guard.look()
        except Exception as error:
            self._log.error("configuration.unreadable", error=type(error).__name__, traceback=traceback_frames(error))

    async def _read_notes(self, state: Path) -> None:
        """Do what commands ask for: forget a number, read the folder now."""
        note, anew = note_path(state), reload_path(state)
        if (number := await asyncio.to_thread(take_note, note)) is not None:
            await asyncio.to_thread(leave_receipt, note, await self._forget(number))
        if await asyncio.to_thread(take_note, anew) is not None:
            await asyncio.to_thread(leave_receipt, anew, int(await self.reload()))

    async def _refuse(self, error: ConfigError, again: bool) -> None:
        kept = self.calls.newest.configuration
        problems = [str(one) for one in error.problems]
        if problems != self._told or not again:
            self._log.error("configuration.refused", problems=problems, kept=kept.revision)
        self._told = problems
        if self._store.in_force is not kept:  # a command has switched something on the last good one
            self._take(self._store.in_force)
            await self.calls.close_unused()
        # Behind it: what was put in force meanwhile is not what the folder holds.
        self._events.publish(ConfigurationRefused())

    def _tell_refusal(self, refusal: Refusal) -> None:
        """Say that the start has taken what was in force before."""
        self._told = [str(one) for one in refusal.problems]
        self._log.error(
            "configuration.last_good",
            folder=str(self._store.folder.absolute()),
            problems=self._told,
            revision=refusal.revision,
            since=refusal.since.isoformat(timespec="seconds"),
        )
        self._events.publish(ConfigurationRefused())

    async def _keep(self) -> None:
        """Keep what is in force on the disk, for a start that finds a broken folder. No call depends on it."""
        try:
            await asyncio.to_thread(self._store.keep)
            self._unkept = ""
        except OSError as error:
            why = f"{error.filename}: {error.strerror}"
            if why != self._unkept:  # said once, not at every reload
                self._log.warning("configuration.not_kept", why=why, remedy=_UNKEPT)
            self._unkept = why

    async def _tell_files(self, configuration: Configuration) -> None:
        """Say what calls would stumble over in the files of records: else the first caller finds out."""
        found = await asyncio.to_thread(file_findings, configuration)
        # Once for each: a reload of a route has not made the table any worse.
        told, self._told_files = self._told_files, found
        for name, one in found.items():
            before = told.get(name, FileFindings())
            for fault in (fault for fault in one.faults if fault not in before.faults):
                self._log.warning("records.broken", integration=name, why=str(fault), in_force="nothing")
            for remark in (remark for remark in one.remarks if remark not in before.remarks):
                self._log.warning("records.unreadable", integration=name, why=str(remark))

    async def _forget(self, e164: str) -> int:
        answers = await super()._forget(e164)
        if self._pool is not None:
            answers += await self._pool.forget(e164)
        self._log.info("cache.forgotten", answers=answers)
        return answers

    def _readings(self) -> Iterator[Reading]:
        if isinstance(self._server, AgiServer) or not self._part.workers:
            yield from _calls(self._server)
        yield Reading("ready", not self._why_not_ready())

    def _remark(self) -> str:
        """Return what whoever asks whether the engine is ready should know, too; "" for nothing."""
        return "; ".join(filter(None, (str(self._store.refusal or ""), self.guard.remark())))

    def _why_not_ready(self) -> str:
        if self._stopping.is_set():
            return "the engine is stopping: it takes no new calls"
        if self._pool is not None and self._listens and not self._pool.up:
            return "no worker takes calls now"
        return "" if self._listens else "the engine does not listen yet"

    async def _drain(self) -> None:
        await self._end_calls()
        await self.close()
        self._log.info("service.stopped")


def _calls(server: CallServer | None) -> Iterator[Reading]:
    return calls_of(server.calls, server.refused) if isinstance(server, AgiServer) else calls_of(0, 0)
