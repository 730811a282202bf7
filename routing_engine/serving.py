"""What carries calls in one process: what they are decided with, the cache, who hears of them, and the listener.

`service` puts the engine together of it: with a folder that it watches, and with workers where there are any; a worker
(`worker_service`) is the same without those.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from routing_engine.channels.agi.server import AgiSettings
from routing_engine.config.engine_yaml import EngineSettings
from routing_engine.config.store import ConfigStore, Configuration
from routing_engine.connections import make_room_for
from routing_engine.core.events import CallEnded, Reading
from routing_engine.core.ports import Provider
from routing_engine.engine import WHOLE, EnginePart
from routing_engine.event_bus import CLOSE_S, EventBus
from routing_engine.guard import Guard
from routing_engine.live_calls import Around, LiveCalls
from routing_engine.logger import Logger
from routing_engine.lookup.cache import Cache
from routing_engine.lookup.cache_file import CacheFile
from routing_engine.settings.listeners import FASTAGI, ListenerAddress
from routing_engine.settings.stores import cache_path
from routing_engine.subscribers import Host, OpenSubscriber, Subscriber, access_to

_FEW_FILES = (
    "each call needs an open file: raise the limit (LimitNOFILE= of the unit, ulimit -n), or lower limits.sessions"
)

_log = Logger()


class CallServer(Protocol):
    """Where calls come in: `channels.agi.AgiServer`, or the workers that have one each."""

    @property
    def addresses(self) -> list[str]:
        """Where it listens, as `host:port`."""

    @property
    def calls(self) -> int:
        """How many calls are being carried now."""

    async def stop(self, drain_s: float) -> int:
        """Take no new calls, let those under way finish for so long, end the rest; return how many those were."""

    def end_now(self) -> None:
        """End every call under way."""


class Serving:
    """One process of the engine, and its `part`. `subscribers` hear of what happens.

    `open` it with a configuration, `change` it with each further one, `drain` at the end.
    """

    def __init__(self, subscribers: Sequence[OpenSubscriber], guard: Guard, part: EnginePart = WHOLE) -> None:
        self._part = part
        #: What is known of a revision on trial.
        self.guard = guard
        self._events = EventBus()
        self._around: list[Around] = []
        #: The calls under way, and what they are decided with.
        self.calls = LiveCalls(self._events, self._around, part)
        self._wanted = subscribers
        self._subscribers: list[Subscriber] = []
        self._disk: CacheFile | None = None
        self._server: CallServer | None = None
        self._started_with = EngineSettings()
        self._listening: dict[str, list[str]] = {}
        self._forgets: list[Callable[[str], Awaitable[None]]] = []
        self._stopping = asyncio.Event()
        self._hurry = False

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

    def stop(self) -> None:
        """Take no new calls and let those under way finish; asked a second time, end at once."""
        # Two signals: an operator who presses Ctrl-C again does not want to wait for the callers.
        self._hurry = self._stopping.is_set()
        if self._hurry and self._server is not None:
            self._server.end_now()
        self._stopping.set()

    async def close(self) -> None:
        """Close every connection, then the subscribers: the last opened first."""
        # Each lives on what is closed behind it: look-ups fill the cache, the end of a call is an event.
        await self.calls.close()
        if self._disk is not None:
            await self._disk.close()
        await self._events.close(0 if self._hurry else CLOSE_S)
        while self._subscribers:
            await self._subscribers.pop().close()

    # --------------------------------------------------------------------------------- for those who build on it

    async def _open(self, host: Host) -> None:
        """Have everything but the listener, with the first configuration."""
        self._started_with = host.configuration.settings
        await self._open_cache(host.configuration.settings)
        if self._part.carries:
            self._events.subscribe_at_once(CallEnded, self.guard.hear)
        # Before the first configuration is taken: they hear of that, too.
        for wanted in self._wanted:
            opened = await wanted(host)
            if opened is not None:
                self._subscribers.append(opened)
        self._listening, self._forgets = host.addresses, host.forgets

    async def _follow(self, store: ConfigStore) -> None:
        """Let a revision on trial have the callers that it is to have."""
        settings = self.calls.newest.configuration.settings
        others = {} if store.candidate is None else store.candidate.settings.site.lists
        callers = self.guard.follow(store.standing, settings.activation, {**others, **settings.site.lists})
        trial = self.guard.trial
        tried = store.candidate if trial is not None and trial.stage == "trying" and self._part.carries else None
        self.calls.try_out(tried, callers)
        await self.calls.close_unused()

    async def _open_cache(self, settings: EngineSettings) -> None:
        """Make the cache of all routes; with a path it holds what was there before the restart."""
        path = cache_path(settings.cache, settings.folder) if self._part.carries else None
        if path is None:
            self.calls.cache = Cache(settings.cache.entries, most_bytes=settings.cache.most_bytes)
            return
        self._disk = CacheFile(path)
        self.calls.cache = Cache(settings.cache.entries, self._disk.changed, settings.cache.most_bytes)
        await self._disk.open(self.calls.cache)

    def _change(self, configuration: Configuration) -> list[str]:
        """Take what counts at once; return the keys that count after a restart only."""
        before, settings = self._started_with, configuration.settings
        kept = ["listeners"] if before.listeners.places != settings.listeners.places else []
        kept += [key for one in self._subscribers for key in one.change(configuration)]
        return kept + (["cache"] if before.cache != settings.cache else [])

    def _settings_of(self, settings: EngineSettings) -> AgiSettings:
        """Return what the FastAGI server takes; an address that changed waits for the restart, as who may connect."""
        now, first = settings.listeners.fastagi, self._started_with.listeners.fastagi
        listener = now if self._started_with.listeners.places == settings.listeners.places else first
        return agi_settings(settings, listener or FASTAGI)

    def _make_room(self, sessions: int) -> None:
        room = make_room_for(sessions)
        if room < sessions:
            _log.warning("service.few_files", sessions=sessions, room=room, remedy=_FEW_FILES)

    async def _forget(self, e164: str) -> int:
        """Drop what memory holds of a number, as `routing-engine forget` asks; return how many answers that was."""
        answers = self.calls.cache.forget(e164)
        if self._disk is not None:
            await self._disk.flush()
        for forget in self._forgets:
            await forget(e164)
        return answers

    def _settle(self) -> None:
        """Let what lives until the stop not be looked at again by every collection of garbage."""
        gc.collect()
        gc.freeze()

    async def _end_calls(self) -> int:
        """Take no new calls, and let those under way finish; return how many were cut."""
        if self._server is None:
            return 0
        at_most_s = self.calls.newest.configuration.settings.drain_s
        _log.info("service.draining", calls=self._server.calls, at_most_s=at_most_s)
        late = await self._server.stop(0 if self._hurry else at_most_s)
        if late:
            _log.warning("service.cut", calls=late)
        return late


def calls_of(calls: int, refused: int) -> Iterator[Reading]:
    """Yield the states of a FastAGI server, for metrics."""
    yield Reading("calls_in_progress", calls)
    yield Reading("connections_refused_total", refused)


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
