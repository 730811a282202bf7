"""The only composer: a configuration folder becomes a running service; reload, drain, stop.

Only this module knows the concrete classes of every room. What is in force is one `_InForce`; a call takes the one it
finds when it arrives and keeps it to its end, whatever is reloaded meanwhile.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from pathlib import Path
from typing import cast

import structlog

from routing_engine.call import Call
from routing_engine.channels.agi import AgiChannel, AgiServer
from routing_engine.channels.dry import DryChannel
from routing_engine.core.events import CallAbandoned, CallRouted
from routing_engine.core.model import Caller, Decision, Find, Found, Left, Saying, SourceDown, Value
from routing_engine.core.numbers import read_number
from routing_engine.core.ports import Lookup, Provider
from routing_engine.errors import ChannelError, Problem, RouteError, places
from routing_engine.integration import Integration
from routing_engine.log import log_call
from routing_engine.lookup.search import Search
from routing_engine.providers.answers import page_url
from routing_engine.providers.table import known_providers, readers
from routing_engine.routes.canned import Canned
from routing_engine.routes.settings import ReadRoom, Settings
from routing_engine.routes.store import Configuration, RouteStore
from routing_engine.routes.walk import languages_of, prompts_of
from routing_engine.speech.command import CommandSpeech
from routing_engine.speech.settings import SpeechSettings, read_speech

#: How often the configuration folder is looked at. One `stat` a file, in a thread.
POLL_S = 1.0
#: The time of a source that has none of its own: the route's deadline is what bounds it.
LONGEST_SOURCE_S = 60.0


def open_store(folder: Path) -> RouteStore:
    """Give the store of a configuration folder; nothing is read yet."""
    return RouteStore(folder, readers(known_providers(), folder), os.environ.get, _ROOMS)


#: Who reads which part of engine.yaml, beside the settings themselves.
_ROOMS: Mapping[str, ReadRoom] = {
    "speech": lambda engine: read_speech(None if engine is None else engine.section("speech")),
}


def unspoken(configuration: Configuration) -> list[Problem]:
    """Give the remark on routes that say texts on a machine where nothing can speak."""
    speech = _speech(None, configuration)
    why = None if speech is None else speech.problem()
    return [] if why is None else [Problem("engine.yaml", 0, "routes use 'say'", why)]


def _open(integration: Integration, settings: Settings) -> Provider:
    kind = known_providers()[integration.provider]
    return kind.open(integration.name, integration.settings, integration.models, settings.region, time.monotonic)


@dataclass(eq=False)
class _InForce:
    """A configuration with its open connections, and how many calls still use it."""

    configuration: Configuration
    providers: Mapping[str, Provider]
    lookup: Lookup
    speech: CommandSpeech | None
    calls: int = 0

    @property
    def parts(self) -> list[Provider | CommandSpeech]:
        """What must be closed once nothing uses it any more."""
        return [*self.providers.values(), *([self.speech] if self.speech is not None else [])]


class Service:
    """The running engine. `start`, then `run` until `stop` is asked for."""

    def __init__(self, store: RouteStore) -> None:
        self._store = store
        self._log = structlog.get_logger()
        self._alive: list[_InForce] = []
        self._server: AgiServer | None = None
        self._started_with = Settings()
        self._stopping = asyncio.Event()
        self._hurry = False

    @property
    def addresses(self) -> list[str]:
        """Where FastAGI listens, as `host:port`."""
        return self._server.addresses if self._server is not None else []

    @property
    def providers(self) -> Mapping[str, Provider]:
        """The connections in force, by integration."""
        return self._alive[-1].providers

    async def start(self) -> None:
        """Load the configuration and open the listeners. Raises `RouteError` or `OSError`."""
        configuration = await asyncio.to_thread(self._store.load)
        self._put_in_force(configuration)
        settings = configuration.settings
        self._started_with = settings
        address = settings.listeners.get("fastagi")
        if address is None:
            raise RouteError(
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
        except Exception as error:
            self._log.error("configuration.unreadable", error=type(error).__name__, traceback=places(error))

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
        except RouteError as error:
            kept = self._alive[-1].configuration.revision
            self._log.error("configuration.refused", problems=[str(one) for one in error.problems], kept=kept)
            return False
        if self._server is not None:
            self._server.change(*_site(configuration.settings))
        fixed = [key for key in ("listeners", "logging") if _differ(self._started_with, configuration.settings, key)]
        if fixed:
            self._log.warning("service.restart_needed", unchanged=fixed)
        self._log.info("configuration.reloaded", revision=configuration.revision, routes=sorted(configuration.routes))
        await self._close_unused()
        return True

    # ------------------------------------------------------------------------------------- inside

    def _put_in_force(self, configuration: Configuration) -> None:
        """Take a configuration; an integration that did not change keeps its connections."""
        before = self._alive[-1] if self._alive else None
        providers = {
            name: _kept(before, configuration, name) or _open(found, configuration.settings)
            for name, found in configuration.integrations.items()
        }
        speech = _speech(before, configuration)
        self._alive.append(_InForce(configuration, providers, _search(configuration, providers), speech))
        if speech is not None:
            speech.prepare(_fixed_texts(configuration))

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
        began = time.monotonic()
        event: CallRouted | CallAbandoned | None = None
        try:
            decision = await _call(channel, taken.lookup, taken.configuration, self._report, taken.speech).carry(
                channel.route
            )
            event = CallRouted(channel.caller, decision, (time.monotonic() - began) * 1000)
        except (ChannelError, asyncio.CancelledError) as error:
            why = str(channel.lost or error) or "the service stopped"
            event = CallAbandoned(channel.caller, channel.route, why, (time.monotonic() - began) * 1000)
            raise
        except Exception as error:
            self._report(error)
            event = CallAbandoned(
                channel.caller, channel.route, type(error).__name__, (time.monotonic() - began) * 1000
            )
        finally:
            taken.calls -= 1
            if event is not None:
                log_call(event, taken.configuration.settings.logging.numbers == "plain")
            if not taken.calls and taken is not self._alive[-1]:
                await self._close_unused()

    def _report(self, error: Exception) -> None:
        self._log.error("call.error", error=type(error).__name__, traceback=places(error))

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


def _kept(before: _InForce | None, configuration: Configuration, name: str) -> Provider | None:
    if before is None or before.configuration.settings.region != configuration.settings.region:
        return None
    same = before.configuration.integrations.get(name) == configuration.integrations[name]
    return before.providers.get(name) if same else None


def _speech(before: _InForce | None, configuration: Configuration) -> CommandSpeech | None:
    """Give what speaks; None when no route has anything to say. It is kept while its settings stay the same."""
    settings = cast(SpeechSettings, configuration.settings.rooms.get("speech", SpeechSettings()))
    sayings = (prompt for route in configuration.routes.values() for prompt in prompts_of(route))
    if not any(isinstance(prompt, Saying) and prompt.kind == "speech" for prompt in sayings):
        return None
    if before is not None and before.speech and before.configuration.settings.rooms.get("speech") == settings:
        return before.speech
    return CommandSpeech(settings)


def _fixed_texts(configuration: Configuration) -> Iterator[tuple[str, str]]:
    """Give the texts without values, each in the languages that its route names."""
    for route in configuration.routes.values():
        languages = languages_of(route) or {configuration.settings.fallback_language}
        for prompt in prompts_of(route):
            if isinstance(prompt, Saying) and prompt.kind == "speech" and not prompt.text.lefts:
                yield from (("".join(map(str, prompt.text.parts)), language) for language in languages)


def _call(
    channel: AgiChannel | DryChannel,
    lookup: Lookup,
    configuration: Configuration,
    report: Callable[[Exception], None],
    speech: CommandSpeech | None = None,
) -> Call:
    places = configuration.settings.places
    return Call(channel, lookup, configuration.routes.get, places, time.monotonic, report, speech)


def _search(configuration: Configuration, providers: Mapping[str, Provider]) -> Search:
    settings = configuration.settings
    models = {name: integration.models for name, integration in configuration.integrations.items()}
    return Search(providers, models, settings.region, settings.defaults.timeout_s or LONGEST_SOURCE_S, time.monotonic)


def _differ(one: Settings, other: Settings, key: str) -> bool:
    return bool(getattr(one, key) != getattr(other, key))


def _site(settings: Settings) -> tuple[str, Callable[[], datetime], int, float, str, str]:
    """Give what the FastAGI server takes from the settings, in its order."""
    limits, sounds = settings.limits, (settings.fallback_language, settings.extension_state)
    return settings.region, _now(settings.timezone), limits.sessions, limits.environment_timeout_s, *sounds


def _now(zone: tzinfo | None) -> Callable[[], datetime]:
    return lambda: datetime.now(zone) if zone is not None else datetime.now().astimezone()


# ---------------------------------------------------------------------------------------------- dry runs


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a call would have come to: the decision, the dialplan variables, every sound in order."""

    decision: Decision
    variables: Sequence[tuple[str, str]]
    played: Sequence[str]


@dataclass(frozen=True, slots=True)
class DryCall:
    """A call to try.

    `at` is the moment, None is now; `records` are canned answers by source, None asks the real ones; `states` are what
    only a channel can tell.
    """

    route: str
    caller: str = "anonymous"
    called: str = ""
    inputs: Sequence[str] = ()
    language: str = ""
    at: datetime | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    records: Mapping[str, Canned] | None = None
    states: Mapping[Left, Value] = field(default_factory=dict)


class _CannedLookup:
    """Keeps the port `Lookup` with answers from a file."""

    def __init__(self, records: Mapping[str, Canned], integrations: Mapping[str, Integration]) -> None:
        self._records = records
        self._integrations = integrations

    async def find(self, ask: Find, left_s: float) -> Found | SourceDown:
        """Give the canned answer of the source, with the pages of its records; no record where there is none."""
        answer = self._records.get(ask.source.name, ())
        if isinstance(answer, SourceDown):
            return answer
        model = self._integrations[ask.source.integration].models[ask.source.model]
        return Found(tuple(replace(one, url=one.url or page_url(model.record_url, one.fields)) for one in answer), 0.0)


async def dry_run(configuration: Configuration, wanted: DryCall) -> DryRun:
    """Play a call through without a telephone: the same core, the same look-ups, nobody rings.

    Errors of ours are raised instead of becoming the default.
    """
    every = configuration.integrations if wanted.records is None else {}
    providers = {name: _open(found, configuration.settings) for name, found in every.items()}
    canned = None if wanted.records is None else _CannedLookup(wanted.records, configuration.integrations)
    lookup = canned or _search(configuration, providers)
    channel = DryChannel(_caller(configuration.settings, wanted), wanted.inputs, wanted.variables, wanted.states)
    try:
        decision = await _call(channel, lookup, configuration, _raise).carry(wanted.route)
    finally:
        for provider in providers.values():
            await provider.close()
    return DryRun(decision, channel.handed_back, channel.played)


def _caller(settings: Settings, wanted: DryCall) -> Caller:
    number = read_number(wanted.caller, settings.region)
    moment = wanted.at or datetime.now().astimezone(settings.timezone)
    at = moment if moment.tzinfo is not None else moment.replace(tzinfo=settings.timezone).astimezone(settings.timezone)
    return Caller(number, wanted.called, "", wanted.language, at, "run-test", number is None)


def _raise(error: Exception) -> None:
    raise error
