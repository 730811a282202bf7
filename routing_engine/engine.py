"""From a configuration to what calls are decided with: open connections, the way of a look-up, what speaks.

With `live_calls`, `subscribers`, `service` and `rehearsal` the only place that knows the classes of every room.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from routing_engine.call import CallRun
from routing_engine.calls.own_accounts import HasAccounts, OwnAccount
from routing_engine.calls.ports import CallLog, CallScreen, HasScreens, KeepsRecords, LogsCalls, RecordDesk
from routing_engine.config.engine_yaml import EngineSettings
from routing_engine.config.route.walk import languages_of, prompts_of
from routing_engine.config.store import ConfigStore, Configuration
from routing_engine.core.asks import SourceDown
from routing_engine.core.events import Publish, Reading
from routing_engine.core.model import SpokenTemplate
from routing_engine.core.ports import Channel, FileFindings, FileSearch, Lookup, Provider, ReadsFile, Speech
from routing_engine.errors import Problem
from routing_engine.lookup.cache import Cache
from routing_engine.lookup.caching import CachingLookup
from routing_engine.lookup.limited_log import LimitedCallLog, LimitedRecordDesk, LimitedScreen
from routing_engine.lookup.limiter import Limiter
from routing_engine.lookup.observed import ObservedLookup
from routing_engine.lookup.search import Search
from routing_engine.providers.canned import CannedProvider
from routing_engine.providers.registry import Readers, describe, kind_of, known_providers
from routing_engine.rehearsal import run_examples
from routing_engine.settings.environment import variable_of
from routing_engine.settings.integration import Integration, Model, RateLimits
from routing_engine.settings.stores import mirror_folder

if TYPE_CHECKING:
    from routing_engine.mirror.provider import MirrorProvider
    from routing_engine.speech.command import CommandSpeech

#: The time of a source that has none of its own: the route's deadline is what bounds it.
LONGEST_SOURCE_S = 60.0


def open_store(folder: Path, plays: bool = True) -> ConfigStore:
    """Return the store of a configuration folder; nothing is read yet. It `plays` the examples of routes, or not."""
    kinds = known_providers()
    readers, environment = Readers(kinds, folder), partial(variable_of, folder)
    return ConfigStore(folder, readers, environment, describe(kinds, folder), run_examples if plays else None)


@dataclass(frozen=True, slots=True)
class EnginePart:
    """What of the engine a process does: all of it, or a part beside others (`serve --workers`).

    `workers` is how many others carry calls; 0: this one does all. `first`: what exists once is here. `speech` says
    texts elsewhere.
    """

    workers: int = 0
    first: bool = True
    speech: Speech | None = None

    @property
    def carries(self) -> bool:
        """Whether calls come to this process."""
        return not self.workers or not self.first

    def shares(self, configuration: Configuration) -> int:
        """Return how many processes ask the systems, and so divide their limits."""
        if not self.workers:
            return 1
        pulls = any(one.mirror is not None for one in configuration.integrations.values())
        # What follows calls, answers programs or pulls is the first process.
        asks = configuration.pbxs or configuration.settings.listeners.http is not None or pulls
        return self.workers + bool(asks)


WHOLE = EnginePart()


class _Closes(Protocol):
    async def close(self) -> None:
        """Release what is held."""


@dataclass(eq=False)
class ActiveConfig:
    """A configuration, what it has opened, and how many calls still use it."""

    configuration: Configuration
    providers: Mapping[str, Provider]
    limiters: Mapping[str, Limiter]
    search: Search
    caching: CachingLookup
    lookup: Lookup
    speech: CommandSpeech | None
    shares: int = 1
    calls: int = 0

    @property
    def parts(self) -> list[_Closes]:
        """What must be closed once nothing uses it any more."""
        return [self.caching, *self.providers.values(), *([self.speech] if self.speech is not None else [])]


def activate(
    before: ActiveConfig | None,
    configuration: Configuration,
    cache: Cache,
    publish: Publish | None = None,
    part: EnginePart = WHOLE,
) -> ActiveConfig:
    """Open what a configuration needs; what did not change is kept from the one before.

    `publish` tells of every look-up; None where nobody wants to hear.
    """
    providers, limiters, shares = dict[str, Provider](), dict[str, Limiter](), part.shares(configuration)
    for name, found in configuration.integrations.items():
        if before is not None and before.shares == shares and _is_unchanged(before, configuration, name):
            # The limiter too: a system that was just spared must not be asked at once for a reload's sake.
            providers[name], limiters[name] = before.providers[name], before.limiters[name]
        else:
            limiters[name] = Limiter(name, found.limits.shared(shares), time.monotonic)
            providers[name] = open_provider(found, configuration.settings, limiters[name])
    _start_mirrors(configuration, providers, part.first)
    live = search(configuration, providers, _lookup_limiters(providers, limiters))
    timeout_s = configuration.settings.defaults.timeout_s or LONGEST_SOURCE_S
    caching = _caching(live, cache, _fingerprints(configuration), publish, timeout_s)
    # Twice around: inside, what the system itself answers; outside, what the cache answers in its place.
    lookup = caching if publish is None else ObservedLookup(caching, publish, time.monotonic, hears="kept")
    speech = _speech(before, configuration) if part.first else None
    if speech is not None:
        # Before a call needs them: a synthesiser may take longer than a caller bears.
        speech.prepare(_fixed_texts(configuration))
    return ActiveConfig(configuration, providers, limiters, live, caching, lookup, speech, shares)


def _caching(
    live: Search, cache: Cache, prints: Mapping[str, str], publish: Publish | None, timeout_s: float
) -> CachingLookup:
    if publish is None:
        return CachingLookup(live, cache, prints, time.time, timeout_s=timeout_s)
    observed = ObservedLookup(live, publish, time.monotonic)
    refreshing = ObservedLookup(live, publish, time.monotonic, purpose="refresh")
    return CachingLookup(observed, cache, prints, time.time, refreshing, timeout_s)


def open_provider(integration: Integration, settings: EngineSettings, limiter: Limiter | None = None) -> Provider:
    """Connect an integration. A mirrored one answers from its index, and pulls as `limiter` allows once started."""
    if integration.unusable:
        return CannedProvider(SourceDown(integration.unusable, asked=False), Model("", {}))
    opens = kind_of(integration.provider, known_providers())
    live = opens(integration.name, integration.settings, integration.models, settings.region, time.monotonic)
    if integration.mirror is None:
        return live
    from routing_engine.mirror.provider import MirrorProvider  # late: as below

    limiter = limiter or Limiter(integration.name, integration.limits, time.monotonic)
    return MirrorProvider(integration, live, limiter, settings.region, mirror_folder(settings.mirror, settings.folder))


def call_logs(active: ActiveConfig) -> dict[str, CallLog]:
    """Return what writes calls, by integration, of those that are to have them (`log:`)."""
    found = dict[str, CallLog]()
    for name, system in _systems(active):
        wanted = active.configuration.integrations[name].log is not None
        log = system.call_log() if isinstance(system, LogsCalls) and wanted else None
        if log is not None:
            found[name] = LimitedCallLog(log, active.limiters[name])
    return found


def record_desks(active: ActiveConfig) -> dict[str, RecordDesk]:
    """Return what writes records, by integration, of those whose systems take them."""
    found = dict[str, RecordDesk]()
    for name, system in _systems(active):
        desk = system.record_desk() if isinstance(system, KeepsRecords) else None
        if desk is not None:
            found[name] = LimitedRecordDesk(desk, active.limiters[name])
    return found


def own_accounts(active: ActiveConfig, person: str, mark: str) -> dict[str, OwnAccount]:
    """Return the accounts that a person can have, by integration."""
    found = dict[str, OwnAccount]()
    for name, system in _systems(active):
        account = system.account(person, mark) if isinstance(system, HasAccounts) else None
        if account is not None:
            found[name] = account
    return found


def screens(active: ActiveConfig) -> dict[str, CallScreen]:
    """Return what shows people who is calling, by integration, of those that are to (`pop: true`)."""
    found = dict[str, CallScreen]()
    for name, system in _systems(active):
        wanted = active.configuration.integrations[name].pop
        screen = system.screen() if isinstance(system, HasScreens) and wanted else None
        if screen is not None:
            found[name] = LimitedScreen(screen, active.limiters[name])
    return found


def _systems(active: ActiveConfig) -> Iterator[tuple[str, Provider]]:
    """Yield what each integration is: a mirror is of records, and whatever is written goes to the system itself."""
    mirrors = _mirrors(active.providers)
    for name, provider in active.providers.items():
        yield name, mirrors[name].live if name in mirrors else provider


def _start_mirrors(configuration: Configuration, providers: Mapping[str, Provider], pull: bool) -> None:
    """Tell mirrors what the routes search, and let them pull where that is done here."""
    # First what is searched, then the pull: the index gets its columns with the first record.
    if not (mirrors := _mirrors(providers)):
        return
    for source in (source for route in configuration.routes.values() for source in route.sources):
        if source.integration in mirrors:
            mirrors[source.integration].search_in(source.model, source.field, source.by_caller)
    for mirror in mirrors.values() if pull else ():
        mirror.start()


def _mirrors(providers: Mapping[str, Provider]) -> Mapping[str, MirrorProvider]:
    from routing_engine.mirror.provider import MirrorProvider  # late: SQLite, and few sites mirror a system

    return {name: one for name, one in providers.items() if isinstance(one, MirrorProvider)}


def mirror_readings(providers: Mapping[str, Provider], now: Callable[[], float] = time.time) -> Iterator[Reading]:
    """Yield how the mirrors are, for metrics; nothing for one whose first pull is not complete."""
    for name, mirror in _mirrors(providers).items():
        for model, state in mirror.states.items():
            if (held := state.held) is not None:
                source = name, model
                yield Reading("mirror_records", held.records, source)
                yield Reading("mirror_age_seconds", max(0.0, now() - held.as_of), source)
                yield Reading("mirror_full_timestamp_seconds", held.full_at, source)
                yield Reading("mirror_failing", bool(state.failing), source)


def _lookup_limiters(providers: Mapping[str, Provider], limiters: Mapping[str, Limiter]) -> dict[str, Limiter]:
    """Return the limiters of look-ups: with a mirror they ask an index of ours, which needs no sparing."""
    # The integration's own limiter is then for the pulls alone: none takes a place of a call.
    ours, mirrors = RateLimits(at_a_time=10_000, failures=0), _mirrors(providers)
    return {
        name: Limiter(name, ours, time.monotonic) if name in mirrors else limiter for name, limiter in limiters.items()
    }


def unspoken(configuration: Configuration) -> list[Problem]:
    """Return the remark on routes that say texts on a machine where nothing can speak."""
    speech = _speech(None, configuration)
    why = None if speech is None else speech.problem()
    return [] if why is None else [Problem("engine.yaml", 0, "routes use 'say'", why)]


def file_findings(configuration: Configuration) -> dict[str, FileFindings]:
    """Read the files of records as calls would; return what is wrong, by integration. Nobody else is asked."""
    found, settings = dict[str, FileFindings](), configuration.settings
    for name, one in configuration.integrations.items():
        if isinstance(one.settings, ReadsFile):
            fields = {model: known.fields for model, known in one.models.items()}
            searches = _searches_of(configuration, name)
            found[name] = one.settings.look(settings.folder, fields, settings.region, searches)
    return found


def _searches_of(configuration: Configuration, integration: str) -> list[FileSearch]:
    sources = (source for route in configuration.routes.values() for source in route.sources)
    return [FileSearch(one.model, one.field, one.by_caller) for one in sources if one.integration == integration]


def new_call(
    channel: Channel,
    lookup: Lookup,
    configuration: Configuration,
    report: Callable[[Exception], None],
    speech: Speech | None = None,
) -> CallRun:
    """Return what carries one call."""
    places = configuration.settings.places
    return CallRun(channel, lookup, configuration.routes.get, places, time.monotonic, report, speech)


def search(
    configuration: Configuration, providers: Mapping[str, Provider], limiters: Mapping[str, Limiter] | None = None
) -> Search:
    """Return the way from a source to its provider."""
    settings = configuration.settings
    models = {name: integration.models for name, integration in configuration.integrations.items()}
    timeout_s = settings.defaults.timeout_s or LONGEST_SOURCE_S
    # Monotonic: a clock that is set must not end or prolong a look-up.
    return Search(providers, models, settings.region, timeout_s, time.monotonic, limiters)


def _is_unchanged(before: ActiveConfig, configuration: Configuration, name: str) -> bool:
    if before.configuration.settings.region != configuration.settings.region:
        return False
    if before.configuration.settings.mirror != configuration.settings.mirror:
        return False
    return before.configuration.integrations.get(name) == configuration.integrations[name]


def _fingerprints(configuration: Configuration) -> dict[str, str]:
    """Return by integration what tells answers under another field map, phone format or region apart."""
    return {
        name: hashlib.blake2b(
            repr((configuration.settings.region, integration.provider, integration.models)).encode(), digest_size=6
        ).hexdigest()
        for name, integration in configuration.integrations.items()
    }


def _speech(before: ActiveConfig | None, configuration: Configuration) -> CommandSpeech | None:
    """Return what speaks; None when no route has anything to say. It is kept while its settings stay the same."""
    settings = configuration.settings.speech
    if not configuration.speaks:
        return None
    from routing_engine.speech.command import CommandSpeech  # late: few sites let a program speak

    # Kept, with the synthesis under way: a reload must not make a caller wait for a text anew.
    if before is not None and before.speech and before.configuration.settings.speech == settings:
        return before.speech
    return CommandSpeech(settings)


def _fixed_texts(configuration: Configuration) -> Iterator[tuple[str, str]]:
    """Yield the texts without values, each with the languages that its route names: they are spoken ahead of calls."""
    for route in configuration.routes.values():
        languages = languages_of(route) or {configuration.settings.fallback_language}
        for prompt in prompts_of(route):
            if isinstance(prompt, SpokenTemplate) and prompt.kind == "speech" and not prompt.text.operands:
                yield from (("".join(map(str, prompt.text.parts)), language) for language in languages)
