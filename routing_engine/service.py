"""A configuration folder becomes a running service; reload, drain, stop.

What is in force is one `ActiveConfig`; a call takes the one it finds when it arrives and keeps it to its end,
whatever is reloaded meanwhile.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

import structlog

from routing_engine import __version__
from routing_engine.call import CallerExperience
from routing_engine.channels.agi.server import AgiChannel, AgiServer
from routing_engine.config.engine_yaml import EngineSettings
from routing_engine.config.store import ConfigStore, Configuration
from routing_engine.core.events import CallAbandoned, CallRouted, Cause, EarlyFate
from routing_engine.core.model import Decision
from routing_engine.core.ports import Provider
from routing_engine.engine import ActiveConfig, activate, mirror_states, new_call
from routing_engine.errors import CallerHungUp, ChannelError, ConfigError, Problem, traceback_frames
from routing_engine.journal.writer import Journal
from routing_engine.log import log_call
from routing_engine.lookup.cache import Cache
from routing_engine.lookup.cache_file import CacheFile
from routing_engine.metrics.monitor import Monitor
from routing_engine.metrics.readings import JournalState, Readings
from routing_engine.settings.stores import CacheSettings, cache_path, journal_path
from routing_engine.storage.forget_note import note_path, take_note

if TYPE_CHECKING:
    from routing_engine.metrics.spans import TracedCall

#: How often the configuration folder is looked at. One `stat` a file, in a thread.
POLL_S = 1.0


class Service:
    """The running engine. `start`, then `run` until `stop` is asked for."""

    def __init__(self, store: ConfigStore) -> None:
        self._store = store
        self._log = structlog.get_logger()
        self._alive: list[ActiveConfig] = []
        self._cache = Cache(CacheSettings().entries)
        self._disk: CacheFile | None = None
        self._journal: Journal | None = None
        self._monitor = Monitor(__version__, os.environ)
        self._server: AgiServer | None = None
        self._started_with = EngineSettings()
        self._stopping = asyncio.Event()
        self._hurry = False

    @property
    def addresses(self) -> list[str]:
        """Where FastAGI listens, as `host:port`."""
        return self._server.addresses if self._server is not None else []

    @property
    def metrics_addresses(self) -> list[str]:
        """Where metrics are, as `host:port`."""
        return self._monitor.addresses

    @property
    def providers(self) -> Mapping[str, Provider]:
        """The connections in force, by integration."""
        return self._alive[-1].providers

    async def start(self) -> None:
        """Load the configuration and open the listeners. Raises `ConfigError` or `OSError`."""
        configuration = await asyncio.to_thread(self._store.load)
        settings = configuration.settings
        await self._open_cache(settings)
        await self._open_journal(settings)
        if (metrics := settings.listeners.metrics) is not None:
            await self._monitor.listen(metrics.host, metrics.port, self._readings())
        self._put_in_force(configuration)
        self._started_with = settings
        address = settings.listeners.fastagi
        if address is None:
            raise ConfigError(
                [Problem("engine.yaml", 0, "no listener is named", "add listeners: {fastagi: 127.0.0.1:4573}")]
            )
        self._server = AgiServer(self._carry, *_site(settings))
        await self._server.listen(address.host, address.port)
        if configuration.remarks:
            self._log.warning("configuration.remarks", remarks=[str(one) for one in configuration.remarks])
        gc.collect()
        gc.freeze()
        self._log.info(
            "service.ready",
            fastagi=self.addresses,
            metrics=self._monitor.addresses,
            routes=sorted(configuration.routes),
            revision=configuration.revision,
            pid=os.getpid(),
        )

    async def run(self) -> None:
        """Serve until `stop`; reload when the configuration folder changes."""
        while not self._stopping.is_set():
            try:
                await asyncio.wait_for(self._stopping.wait(), POLL_S)
            except TimeoutError:
                await self._look_for_changes()
        await self._drain()

    async def _look_for_changes(self) -> None:
        """Reload when the folder changed. Whatever goes wrong here, the calls go on with what is in force."""
        try:
            if await asyncio.to_thread(self._store.changed):
                await self.reload()
            if (number := await asyncio.to_thread(take_note, note_path(self._store.folder))) is not None:
                await self._forget(number)
        except Exception as error:
            self._log.error("configuration.unreadable", error=type(error).__name__, traceback=traceback_frames(error))

    @property
    def stopping(self) -> bool:
        """Whether `stop` was asked for."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Take no new calls and let those under way finish; asked a second time, end at once."""
        self._hurry = self._stopping.is_set()
        if self._hurry and self._server is not None:
            self._server.end_now()
        self._stopping.set()

    async def reload(self) -> bool:
        """Put the folder's configuration in force, whole; False when it is broken and the last good one stays."""
        try:
            configuration = await asyncio.to_thread(self._store.reload)
            self._put_in_force(configuration)
        except ConfigError as error:
            kept = self._alive[-1].configuration
            self._log.error("configuration.refused", problems=[str(one) for one in error.problems], kept=kept.revision)
            if self._store.in_force is not kept:
                self._put_in_force(self._store.in_force)  # a command has switched something on the last good one
                await self._close_unused()
            self._monitor.refused()  # behind it: what was put in force meanwhile is not what the folder holds
            return False
        if self._server is not None:
            self._server.change(*_site(configuration.settings))
        fixed = [key for key in ("listeners", "logging") if _differ(self._started_with, configuration.settings, key)]
        fixed += self._changed_for_good(configuration.settings)
        if fixed:
            self._log.warning("service.restart_needed", unchanged=fixed)
        self._log.info("configuration.reloaded", revision=configuration.revision, routes=sorted(configuration.routes))
        await self._close_unused()
        return True

    # ------------------------------------------------------------------------------------- inside

    def _readings(self) -> Readings:
        """Return what metrics read instead of count."""
        return Readings(
            not_ready=self._why_not_ready,
            calls=lambda: self._server.calls if self._server is not None else 0,
            refused=lambda: self._server.refused if self._server is not None else 0,
            sources=self._sources,
            breakers=lambda: {name: guard.open for name, guard in self._alive[-1].guards.items()},
            cache_entries=lambda: len(self._cache),
            mirrors=lambda: mirror_states(self._alive[-1].providers),
            journal=self._journal_state,
        )

    def _why_not_ready(self) -> str:
        if self._stopping.is_set():
            return "the engine is stopping: it takes no new calls"
        return "" if self._server is not None and self._server.addresses else "the engine does not listen yet"

    def _sources(self) -> dict[tuple[str, str], bool]:
        now = self._alive[-1]
        every = ((name, model) for name, one in now.configuration.integrations.items() for model in one.models)
        return {one: one in now.search.down for one in every}

    def _journal_state(self) -> JournalState | None:
        journal = self._journal
        return None if journal is None else JournalState(journal.waiting, journal.lost, bool(journal.down))

    def _changed_for_good(self, settings: EngineSettings) -> list[str]:
        """Let the journal take what it can take while it runs; name what needs a restart."""
        before, now = self._started_with.journal, settings.journal
        if self._journal is not None:
            self._journal.change(now, settings.region)
        moved = [] if (before.kept, before.path) == (now.kept, now.path) else ["journal"]
        return moved + (["cache"] if self._started_with.cache != settings.cache else [])

    async def _open_cache(self, settings: EngineSettings) -> None:
        """Make the cache of all routes; with a path it holds what was there before the restart."""
        path = cache_path(settings.cache, settings.folder)
        if path is None:
            self._cache = Cache(settings.cache.entries)
            return
        self._disk = CacheFile(path)
        self._cache = Cache(settings.cache.entries, self._disk.changed)
        await self._disk.open(self._cache)

    async def _open_journal(self, settings: EngineSettings) -> None:
        wanted = settings.journal
        if wanted.kept:
            self._journal = Journal(journal_path(wanted, settings.folder), wanted, settings.region)
            await self._journal.open()

    async def _forget(self, e164: str) -> None:
        """Drop what the cache holds of a number, as `routing-engine forget` asks."""
        answers = self._cache.forget(e164)
        if self._disk is not None:
            await self._disk.flush()
        self._log.info("cache.forgotten", answers=answers)

    def _put_in_force(self, configuration: Configuration) -> None:
        """Take a configuration; an integration that did not change keeps its connections."""
        before = self._alive[-1] if self._alive else None
        tell = self._monitor.looked_up if self._monitor.addresses else None
        self._alive.append(activate(before, configuration, self._cache, tell))
        self._monitor.took(configuration.revision, configuration.routes, configuration.integrations)

    async def _close_unused(self) -> None:
        """Let go of configurations that no call uses any more, and close what nothing else holds."""
        *old, newest = self._alive
        done = [one for one in old if not one.calls]
        self._alive = [one for one in old if one.calls] + [newest]
        held = {id(part) for one in self._alive for part in one.parts}
        for part in {id(part): part for one in done for part in one.parts if id(part) not in held}.values():
            await part.close()

    async def _carry(self, channel: AgiChannel) -> None:
        """Carry one call with what is in force at its arrival."""
        taken = self._alive[-1]
        taken.calls += 1
        followed = self._monitor.follow(channel, taken.lookup)
        talk, lookup = (channel, taken.lookup) if followed is None else (followed.channel, followed.lookup)
        call = new_call(talk, lookup, taken.configuration, self._report, self._monitor.measured(taken.speech))
        ending = _CallEnding(channel, call.heard)
        try:
            ending.routed(await call.run(channel.route))
        except (ChannelError, asyncio.CancelledError) as error:
            ending.abandoned(error)
            raise
        except Exception as error:
            self._report(error)
            ending.abandoned(error)
        finally:
            taken.calls -= 1
            self._publish(ending.event, taken.configuration.settings, followed)
            if not taken.calls and taken is not self._alive[-1]:
                await self._close_unused()

    def _publish(
        self, event: CallRouted | CallAbandoned | None, settings: EngineSettings, followed: TracedCall | None
    ) -> None:
        """Tell everybody who hears of calls."""
        if event is None:
            return
        log_call(event, settings.logging.numbers == "plain")
        self._monitor.publish(event, followed, settings.logging.numbers == "plain")
        if self._journal is not None:
            self._journal.record(event)

    def _report(self, error: Exception) -> None:
        self._monitor.failed()
        self._log.error("call.error", error=type(error).__name__, traceback=traceback_frames(error))

    async def _drain(self) -> None:
        settings = self._alive[-1].configuration.settings
        if self._server is not None:
            self._log.info("service.draining", calls=self._server.calls, at_most_s=settings.drain_s)
            late = await self._server.stop(0 if self._hurry else settings.drain_s)
            if late:
                self._log.warning("service.cut", calls=late)
        for one in self._alive:
            one.calls = 0
        await self.close()
        self._log.info("service.stopped")

    async def close(self) -> None:
        """Close every connection."""
        for part in {id(part): part for one in self._alive for part in one.parts}.values():
            await part.close()
        if self._disk is not None:
            await self._disk.close()
        if self._journal is not None:
            await self._journal.close()
        await self._monitor.close()


class _CallEnding:
    """How a call ended, as the event that others hear."""

    def __init__(self, channel: AgiChannel, heard: CallerExperience) -> None:
        self._channel, self._heard, self._began = channel, heard, time.monotonic()
        self.event: CallRouted | CallAbandoned | None = None

    def routed(self, decision: Decision) -> None:
        self.event = CallRouted(self._channel.caller, decision, self._took_ms(), *self._experience())

    def abandoned(self, error: BaseException) -> None:
        why, cause = self._why(error)
        self.event = CallAbandoned(
            self._channel.caller, self._channel.route, why, self._took_ms(), cause, *self._experience()
        )

    def _why(self, error: BaseException) -> tuple[str, Cause]:
        if not isinstance(error, ChannelError | asyncio.CancelledError):
            return type(error).__name__, "error"
        lost = self._channel.lost or error
        if isinstance(lost, CallerHungUp):
            return str(lost), "hung_up"
        return str(lost) or "the service stopped", "broken" if isinstance(lost, ChannelError) else "stopped"

    def _took_ms(self) -> float:
        return (time.monotonic() - self._began) * 1000

    def _experience(self) -> tuple[float, float, int, int, tuple[tuple[str, EarlyFate], ...]]:
        heard = self._heard
        return heard.waited_s, heard.silence_s, heard.missing, heard.unsaid, tuple(heard.early)


def _differ(one: EngineSettings, other: EngineSettings, key: str) -> bool:
    return bool(getattr(one, key) != getattr(other, key))


def _site(settings: EngineSettings) -> tuple[str, Callable[[], datetime], int, float, str, str]:
    """Return what the FastAGI server takes from the settings, in its order."""
    limits, sounds = settings.limits, (settings.fallback_language, settings.dialplan.state)
    return settings.region, _now(settings.timezone), limits.sessions, limits.environment_timeout_s, *sounds


def _now(zone: tzinfo | None) -> Callable[[], datetime]:
    return lambda: datetime.now(zone) if zone is not None else datetime.now().astimezone()
