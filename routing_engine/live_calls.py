"""Calls under way: each is decided with the configuration that is newest at its arrival, and keeps that to its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias, TypedDict

from routing_engine.call import CallerExperience
from routing_engine.channels.agi.server import AgiChannel
from routing_engine.config.store import Configuration
from routing_engine.config.trial_callers import TrialCallers
from routing_engine.core.events import (
    CallAbandoned,
    CallEnded,
    CallRouted,
    Cause,
    ConfigurationTaken,
    EarlyFate,
    EngineFault,
    LookedUp,
    Reading,
)
from routing_engine.core.model import Caller
from routing_engine.core.ports import Channel, Lookup, Speech
from routing_engine.core.redact import visible
from routing_engine.engine import WHOLE, ActiveConfig, EnginePart, activate, mirror_readings, new_call
from routing_engine.errors import CallerHungUp, ChannelError, traceback_frames
from routing_engine.event_bus import EventBus
from routing_engine.logger import Logger
from routing_engine.lookup.cache import Cache
from routing_engine.settings.stores import CacheSettings
from routing_engine.speech.command import ObservedSpeech

#: Stands around the channel and the look-ups of each call, as traces do: gives what the call uses instead.
Around: TypeAlias = Callable[[Channel, Lookup], tuple[Channel, Lookup]]

#: What asks for a script believes that it talks to a server of scripts, as FreePBX's ring groups do on port 4573.
_SCRIPTS = (".agi", ".php", ".pl", ".py", ".sh")
_FOREIGN = (
    "this is a request for a script, not for a route: the engine has the port of another FastAGI server (FreePBX's "
    "is 4573); give the engine another one in listeners and in ROUTING_ENGINE_1"
)
_log = Logger()


class LiveCalls:
    """Serves calls. `take` a configuration, then `serve` every call; `close` at the end.

    `around` is asked for every call: what subscribers put there while the service starts counts.
    """

    def __init__(self, events: EventBus, around: Sequence[Around] = (), part: EnginePart = WHOLE) -> None:
        self._events, self._around, self._part = events, around, part
        self._active: list[ActiveConfig] = []
        self._trial: ActiveConfig | None = None
        self._callers = TrialCallers()
        #: The answers that are kept, for all routes and whatever is reloaded.
        self.cache = Cache(CacheSettings().entries)

    @property
    def active(self) -> Sequence[ActiveConfig]:
        """The configurations that calls are decided with now, oldest first; without calls only the newest."""
        return tuple(self._active)

    @property
    def newest(self) -> ActiveConfig:
        """What calls are decided with that arrive now."""
        return self._active[-1]

    def take(self, configuration: Configuration) -> None:
        """Decide new calls with this configuration; an integration that did not change keeps its connections."""
        before = self.newest if self._active else None
        if self._trial is not None and self._trial.configuration.revision == configuration.revision:
            # It has proved itself: its connections are open, and its limiters know the systems.
            before = self._trial
        # Where nobody hears of look-ups, none pays for being observed.
        publish = self._events.publish if self._events.is_heard(LookedUp) else None
        self._active.append(activate(before, configuration, self.cache, publish, self._part))
        names = tuple(configuration.routes), tuple(configuration.integrations)
        self._events.publish(ConfigurationTaken(configuration.revision, *names))

    def try_out(self, configuration: Configuration | None, callers: TrialCallers) -> None:
        """Decide new calls of these callers with another configuration; None: those of everybody with what is in force.

        `close_unused` is next: calls under way keep what they began with.
        """
        self._callers = callers
        tried = self._trial
        if tried is not None and tried.configuration is configuration:
            return
        if tried is not None:
            self._active.insert(0, tried)
        self._trial = None
        if configuration is not None:
            publish = self._events.publish if self._events.is_heard(LookedUp) else None
            self._trial = activate(tried or self.newest, configuration, self.cache, publish, self._part)

    def _chosen(self, caller: Caller) -> ActiveConfig:
        """Return what a call that arrives now is decided with."""
        return self._trial if self._trial is not None and self._callers.why(caller) is not None else self.newest

    async def serve(self, channel: AgiChannel) -> None:
        """Decide one call. Raises `ChannelError` or `CancelledError` when it was over before its decision."""
        if channel.route.endswith(_SCRIPTS):
            _log.error("agi.foreign_script", script=visible(channel.route[:80]), remedy=_FOREIGN)
        active = self.newest if self._trial is None else self._chosen(channel.caller)
        began, revision = time.monotonic(), active.configuration.revision
        active.calls += 1
        surrounded, lookup = self._surrounded(channel, active.lookup)
        call = new_call(surrounded, lookup, active.configuration, self._report, self._speech(active))
        ended: CallEnded | None = None
        try:
            decision = await call.run(channel.route)
            ended = CallRouted(channel.caller, decision.route, decision, **_experience(call.heard, began, revision))
        except (ChannelError, asyncio.CancelledError) as error:
            why, cause = _why(channel.lost or error)  # the channel knows better which it was
            ended = _abandoned(channel, why, cause, _experience(call.heard, began, revision))
            raise
        except Exception as error:
            # Not raised again: the server could only log it a second time.
            self._report(error)
            ended = _abandoned(channel, type(error).__name__, "error", _experience(call.heard, began, revision))
        finally:
            active.calls -= 1
            # Behind the decision: the caller has left for his destination, nobody waits for what is told now.
            if ended is not None:
                self._events.publish(ended)
            if not active.calls and active not in (self.newest, self._trial):
                await self.close_unused()

    async def close_unused(self) -> None:
        """Let go of configurations that no call uses any more, and close what no other one holds."""
        *old, newest = self._active
        done = [one for one in old if not one.calls]
        self._active = [one for one in old if one.calls] + [newest]
        await _close(done, self._held)

    async def close(self) -> None:
        """Close every connection, whoever uses it."""
        await _close(self._held)

    @property
    def _held(self) -> Sequence[ActiveConfig]:
        return [*self._active, *([self._trial] if self._trial is not None else [])]

    def readings(self) -> Iterator[Reading]:
        """Yield the states of sources, integrations, mirrors and the cache, for metrics."""
        if not self._active:
            return  # a scraper may come before the first configuration is in force
        now = self.newest
        for name, integration in now.configuration.integrations.items():
            for model in integration.models:
                yield Reading("source_down", (name, model) in now.search.down, (name, model))
        for name, limiter in now.limiters.items():
            yield Reading("breaker_open", limiter.open, (name,))
        yield Reading("cache_entries", len(self.cache))
        yield from mirror_readings(now.providers)

    def _surrounded(self, channel: Channel, lookup: Lookup) -> tuple[Channel, Lookup]:
        for around in self._around:
            channel, lookup = around(channel, lookup)
        return channel, lookup

    def _speech(self, active: ActiveConfig) -> ObservedSpeech | None:
        speech: Speech | None = self._part.speech if active.configuration.speaks else None
        speech = active.speech or speech
        return ObservedSpeech(speech, self._events.publish) if speech is not None else None

    def _report(self, error: Exception) -> None:
        self._events.publish(EngineFault())
        _log.error("call.error", error=type(error).__name__, traceback=traceback_frames(error))


async def _close(done: Sequence[ActiveConfig], held_by: Sequence[ActiveConfig] = ()) -> None:
    held = {id(part) for one in held_by for part in one.parts}
    for part in {id(part): part for one in done for part in one.parts if id(part) not in held}.values():
        await part.close()


class _Experience(TypedDict):
    """The fields that every `CallEnded` has of what its caller went through."""

    took_ms: float
    waited_s: float
    silence_s: float
    sounds_missing: int
    texts_unsaid: int
    early: tuple[tuple[str, EarlyFate], ...]
    revision: str


def _experience(heard: CallerExperience, began: float, revision: str) -> _Experience:
    # Handed to the constructor: `dataclasses.replace` on an event that is made already takes six times as long.
    return {
        "took_ms": (time.monotonic() - began) * 1000,
        "waited_s": heard.waited_s,
        "silence_s": heard.silence_s,
        "sounds_missing": heard.missing,
        "texts_unsaid": heard.unsaid,
        "early": tuple(heard.early),
        "revision": revision,
    }


def _abandoned(channel: AgiChannel, why: str, cause: Cause, experience: _Experience) -> CallAbandoned:
    return CallAbandoned(channel.caller, channel.route, why, cause, **experience)


def _why(lost: BaseException) -> tuple[str, Cause]:
    """Return why a call was over before its decision, as a sentence and as a word."""
    if isinstance(lost, CallerHungUp):
        return str(lost), "hung_up"
    return str(lost) or "the service stopped", "broken" if isinstance(lost, ChannelError) else "stopped"
