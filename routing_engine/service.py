"""A configuration folder becomes a running service: start, reload, drain, stop.

What calls are decided with is in `live_calls`; who hears of them is in `subscribers`, and unknown here.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from routing_engine.channels.agi.server import AgiServer, AgiSettings
from routing_engine.config.engine_yaml import EngineSettings
from routing_engine.config.refusal import Refusal
from routing_engine.config.store import ConfigStore, Configuration
from routing_engine.connections import make_room_for
from routing_engine.core.events import ConfigurationRefused, Reading
from routing_engine.core.ports import FileFindings, Provider
from routing_engine.engine import file_findings
from routing_engine.errors import ConfigError, Problem, traceback_frames
from routing_engine.event_bus import CLOSE_S, EventBus
from routing_engine.live_calls import Around, LiveCalls
from routing_engine.logger import Logger
from routing_engine.lookup.cache import Cache
from routing_engine.lookup.cache_file import CacheFile
from routing_engine.settings.listeners import FASTAGI, ListenerAddress
from routing_engine.settings.paths import state_folder
from routing_engine.settings.stores import cache_path
from routing_engine.storage.forget_note import leave_receipt, note_path, reload_path, take_note
from routing_engine.subscribers import SUBSCRIBERS, Host, OpenSubscriber, Subscriber, access_to

#: How often the configuration folder is looked at. One `stat` a file, in a thread.
POLL_S = 1.0
_FEW_FILES = (
    "each call needs an open file: raise the limit (LimitNOFILE= of the unit, ulimit -n), or lower limits.sessions"
)
#: A folder that was refused is tried anew every so many looks: what was wrong may lie elsewhere, as with secrets.
_TRY_AGAIN = 10
_UNKEPT = "a start with a broken folder will find nothing to go on with: let the engine's user write there"


class Service:
    """The running engine. `start`, then `run` until `stop` is asked for. `subscribers` hear of what happens."""

    def __init__(self, store: ConfigStore, subscribers: Sequence[OpenSubscriber] = SUBSCRIBERS) -> None:
        self._store = store
        self._log = Logger()
        self._events = EventBus()
        self._around: list[Around] = []
        #: The calls under way, and what they are decided with.
        self.calls = LiveCalls(self._events, self._around)
        self._wanted = subscribers
        self._subscribers: list[Subscriber] = []
        self._disk: CacheFile | None = None
        self._server: AgiServer | None = None
        self._started_with = EngineSettings()
        self._listening: dict[str, list[str]] = {}
        self._forgets: list[Callable[[str], Awaitable[None]]] = []
        self._told_files: Mapping[str, FileFindings] = {}
        self._stopping = asyncio.Event()
        self._hurry = self._open = False
        self._told: list[str] = []
        self._unkept = ""
        self._looks = 0

    @property
    def addresses(self) -> list[str]:
        """Where FastAGI listens, as `host:port`."""
        return self._server.addresses if self._server is not None else []

    @property
    def listening(self) -> Mapping[str, Sequence[str]]:
        """Where each listener listens, by its name in engine.yaml."""
        return {"fastagi": self.addresses, **self._listening}

    @property
    def providers(self) -> Mapping[str, Provider]:
        """The connections in force, by integration."""
        return self.calls.newest.providers

    async def start(self) -> None:
        """Load the configuration, or the last good one, and open the listeners. Raises `ConfigError` or `OSError`."""
        configuration = await asyncio.to_thread(self._store.start)
        settings = self._started_with = configuration.settings
        if settings.listeners.fastagi is None and settings.listeners.http is None:
            raise ConfigError(
                [Problem("engine.yaml", 0, "no listener is named", "add listeners: {fastagi: 127.0.0.1:4573}")]
            )
        await self._open_cache(settings)
        # Before the first configuration is taken: they hear of that, too.
        await self._open_subscribers(configuration)
        self.calls.take(configuration)
        if (refusal := self._store.refusal) is not None:
            self._tell_refusal(refusal)
        # A hub without a PBX of its own routes no calls.
        if settings.listeners.fastagi is not None:
            await self._listen(settings, settings.listeners.fastagi)
        self._open = True
        if configuration.remarks:
            self._log.warning("configuration.remarks", remarks=[str(one) for one in configuration.remarks])
        await self._tell_files(configuration)
        # What lives until the stop need not be looked at again by every collection of garbage.
        gc.collect()
        gc.freeze()
        self._log.info(
            "service.ready",
            **{"metrics": [], **self.listening},
            routes=sorted(configuration.routes),
            revision=configuration.revision,
            pid=os.getpid(),
        )
        await self._keep()

    async def run(self) -> None:
        """Serve until `stop`; reload when the configuration folder changes."""
        while not self._stopping.is_set():
            try:
                async with asyncio.timeout(POLL_S):
                    await self._stopping.wait()
            except TimeoutError:
                await self._look_for_changes()
        await self._drain()

    def stop(self) -> None:
        """Take no new calls and let those under way finish; asked a second time, end at once."""
        # Two signals: an operator who presses Ctrl-C again does not want to wait for the callers.
        self._hurry = self._stopping.is_set()
        if self._hurry and self._server is not None:
            self._server.end_now()
        self._stopping.set()

    async def reload(self, again: bool = False) -> bool:
        """Put the folder's configuration in force, whole; False when it is broken and the last good one stays.

        `again`: nobody has changed it, so that the same problems need no second line in the log.
        """
        try:
            configuration = await asyncio.to_thread(self._store.reload)
            self.calls.take(configuration)
        except ConfigError as error:
            await self._refuse(error, again)
            await self._keep()
            return False
        await self._keep()
        if self._server is not None:
            self._change_server(self._server, configuration.settings)
        if kept := self._change(configuration):
            self._log.warning("service.restart_needed", unchanged=kept)
        self._told = []
        self._log.info("configuration.reloaded", revision=configuration.revision, routes=sorted(configuration.routes))
        await self._tell_files(configuration)
        await self.calls.close_unused()
        return True

    async def close(self) -> None:
        """Close every connection, then the subscribers: the last opened first."""
        # Each lives on what is closed behind it: look-ups fill the cache, the end of a call is an event.
        await self.calls.close()
        if self._disk is not None:
            await self._disk.close()
        await self._events.close(0 if self._hurry else CLOSE_S)
        while self._subscribers:
            await self._subscribers.pop().close()

    # ------------------------------------------------------------------------------------- inside

    async def _listen(self, settings: EngineSettings, address: ListenerAddress) -> None:
        self._server = AgiServer(self.calls.serve, agi_settings(settings, address))
        self._make_room(settings.limits.sessions)
        await self._server.listen(address.host, address.port)

    async def _open_cache(self, settings: EngineSettings) -> None:
        """Make the cache of all routes; with a path it holds what was there before the restart."""
        path = cache_path(settings.cache, settings.folder)
        if path is None:
            self.calls.cache = Cache(settings.cache.entries, most_bytes=settings.cache.most_bytes)
            return
        self._disk = CacheFile(path)
        self.calls.cache = Cache(settings.cache.entries, self._disk.changed, settings.cache.most_bytes)
        await self._disk.open(self.calls.cache)

    async def _open_subscribers(self, configuration: Configuration) -> None:
        host = Host(
            configuration,
            lambda: self.calls.newest,
            self._events,
            self._why_not_ready,
            self._remark,
            around=self._around,
        )
        host.readings.extend((self._readings, self.calls.readings))
        for wanted in self._wanted:
            opened = await wanted(host)
            if opened is not None:
                self._subscribers.append(opened)
        self._listening, self._forgets = host.addresses, host.forgets

    async def _look_for_changes(self) -> None:
        """Reload when the folder changed. Whatever goes wrong here, the calls go on with what is in force."""
        try:
            self._looks += 1
            if await asyncio.to_thread(self._store.changed):
                await self.reload()
            elif self._store.refusal is not None and self._looks % _TRY_AGAIN == 0:
                await self.reload(again=True)
            await self._read_notes(state_folder(self._store.folder))
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
            self.calls.take(self._store.in_force)
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

    def _change(self, configuration: Configuration) -> list[str]:
        """Take what counts at once; return the keys that count after a restart only."""
        before, settings = self._started_with, configuration.settings
        kept = ["listeners"] if before.listeners.places != settings.listeners.places else []
        kept += [key for one in self._subscribers for key in one.change(configuration)]
        return kept + (["cache"] if before.cache != settings.cache else [])

    def _change_server(self, server: AgiServer, settings: EngineSettings) -> None:
        now, first = settings.listeners.fastagi, self._started_with.listeners.fastagi
        # An address that changed waits for the restart, and so does who may connect there.
        listener = now if self._started_with.listeners.places == settings.listeners.places else first
        server.change(agi_settings(settings, listener or FASTAGI))
        self._make_room(settings.limits.sessions)

    def _make_room(self, sessions: int) -> None:
        room = make_room_for(sessions)
        if room < sessions:
            self._log.warning("service.few_files", sessions=sessions, room=room, remedy=_FEW_FILES)

    async def _forget(self, e164: str) -> int:
        """Drop what memory holds of a number, as `routing-engine forget` asks; return how many answers that was."""
        answers = self.calls.cache.forget(e164)
        if self._disk is not None:
            await self._disk.flush()
        for forget in self._forgets:
            await forget(e164)
        self._log.info("cache.forgotten", answers=answers)
        return answers

    def _readings(self) -> Iterator[Reading]:
        server = self._server
        yield Reading("calls_in_progress", server.calls if server is not None else 0)
        yield Reading("connections_refused_total", server.refused if server is not None else 0)
        yield Reading("ready", not self._why_not_ready())

    def _remark(self) -> str:
        """Return what whoever asks whether the engine is ready should know, too; "" for nothing."""
        return str(self._store.refusal or "")

    def _why_not_ready(self) -> str:
        if self._stopping.is_set():
            return "the engine is stopping: it takes no new calls"
        return "" if self._open else "the engine does not listen yet"

    async def _drain(self) -> None:
        at_most_s = self.calls.newest.configuration.settings.drain_s
        if self._server is not None:
            self._log.info("service.draining", calls=self._server.calls, at_most_s=at_most_s)
            late = await self._server.stop(0 if self._hurry else at_most_s)
            if late:
                self._log.warning("service.cut", calls=late)
        await self.close()
        self._log.info("service.stopped")


def agi_settings(settings: EngineSettings, listener: ListenerAddress) -> AgiSettings:
    """Return what the FastAGI server takes from engine.yaml; who may connect is the listener's."""
    zone = settings.timezone
    return AgiSettings(
        region=settings.region,
        now=lambda: datetime.now(zone) if zone is not None else datetime.now().astimezone(),
        sessions=settings.limits.sessions,
        environment_timeout_s=settings.limits.environment_timeout_s,
        fallback_language=settings.fallback_language,
        extension_state=settings.dialplan.state,
        plus=settings.numbers.plus,
        access=access_to(listener),
        kept_presentation="CALLINGNUMPRES_SV" if settings.dialplan.profile == "freepbx" else "",
    )
