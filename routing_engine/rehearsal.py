"""Calls that nobody makes: `run-test` and the examples beside the rules, driven as a live call is.

They differ from it in the channel and, where their answers are given beforehand, in the provider behind the look-up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from routing_engine.call import CallRun
from routing_engine.channels.dry import DryChannel, IsHere
from routing_engine.config.canned import Canned
from routing_engine.config.engine_yaml import EngineSettings
from routing_engine.config.examples import Example
from routing_engine.config.store import Configuration
from routing_engine.core.asks import Find, Found, SourceDown
from routing_engine.core.caller import USUAL_LANGUAGE, arrived, at_site
from routing_engine.core.model import Caller, Decision, Operand, Origin, Value
from routing_engine.core.ports import Clock, KnowsPages, Lookup
from routing_engine.lookup.caching import age_in_words
from routing_engine.lookup.search import Search
from routing_engine.providers.canned import CannedProvider
from routing_engine.settings.integration import Model


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a call would have come to: the decision, the dialplan variables, every sound in order."""

    decision: Decision
    variables: Sequence[tuple[str, str]]
    played: Sequence[str]


@dataclass(frozen=True, slots=True)
class DryCall:
    """A call to try.

    `caller` is a number or a word such as `anonymous`; `at` is the moment, in the site's time where it names no zone,
    None is now; `records` are canned answers by source, None asks the real ones; `origin` and `age_s` (seconds) are
    where those come from; `states` are what only a channel can tell. `language` "" is what a channel usually has.
    """

    route: str
    caller: str = "anonymous"
    caller_name: str = ""
    called: str = ""
    inputs: Sequence[str] = ()
    language: str = ""
    at: datetime | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    records: Mapping[str, Canned] | None = None
    states: Mapping[Operand, Value] = field(default_factory=dict)
    origin: Origin = "live"
    age_s: float = 0.0
    call_id: str = "run-test"


class CannedLookup:
    """Keeps the port `Lookup` with answers that were given beforehand, on the way of every other look-up.

    `answers` are by the name of the source, of whatever route; a source that is not there has no record.
    """

    def __init__(
        self,
        configuration: Configuration,
        answers: Mapping[str, Canned],
        origin: Origin = "live",
        age_s: float = 0.0,
    ) -> None:
        self._region = configuration.settings.region
        self._integrations = configuration.integrations
        self._answers, self._origin, self._age_s = answers, origin, age_s

    async def find(self, ask: Find, left_s: float) -> Found | SourceDown:
        """Return the source's answer, checked and typed as a live one."""
        source = ask.source
        integration = self._integrations[source.integration]
        model = integration.models.get(source.model) or Model(source.model, {})
        knows = integration.settings if isinstance(integration.settings, KnowsPages) else None
        page_of = None if knows is None else partial(knows.page_of, source.model)
        searching = {source.integration: CannedProvider(self._answers.get(source.name, ()), model, page_of)}
        models_of = {source.integration: integration.models}
        # The way of a live look-up, not a shorter one: types, whose record it is, and texts are its business.
        # An answer that is there already takes no time: with a clock that stands still no deadline passes either.
        search = Search(searching, models_of, self._region, left_s or 1, _standing_still, logs=False)
        return self._dated(await search.find(ask, left_s))

    def _dated(self, answer: Found | SourceDown) -> Found | SourceDown:
        """Say of records where the test wants them to come from."""
        if self._origin == "live" or isinstance(answer, SourceDown):
            return answer
        dated = (replace(record, origin=self._origin, age_s=self._age_s) for record in answer.records)
        where = "from the cache" if self._origin == "cache" else self._origin
        note = f"{where}, {age_in_words(self._age_s)} old"
        return replace(answer, records=tuple(dated), origin=self._origin, age_s=self._age_s, note=note)


async def rehearse(
    configuration: Configuration,
    wanted: DryCall,
    lookup: Lookup,
    clock: Clock,
    report: Callable[[Exception], None],
    is_here: IsHere | None = None,
) -> DryRun:
    """Play a call through without a telephone. `report` hears of errors of ours, which become the route's default.

    `is_here` tells which sounds lie on this machine, for the trail.
    """
    caller = caller_of(configuration.settings, wanted)
    channel = DryChannel(caller, wanted.inputs, wanted.variables, wanted.states, is_here)
    places = configuration.settings.places
    decision = await CallRun(channel, lookup, configuration.routes.get, places, clock, report).run(wanted.route)
    return DryRun(decision, channel.handed_back, channel.played)


async def rehearse_canned(
    configuration: Configuration,
    wanted: DryCall,
    report: Callable[[Exception], None],
    is_here: IsHere | None = None,
) -> DryRun:
    """Play a call through with canned answers: nobody is asked, and nothing takes time."""
    lookup = CannedLookup(configuration, wanted.records or {}, wanted.origin, wanted.age_s)
    return await rehearse(configuration, wanted, lookup, _standing_still, report, is_here)


def caller_of(settings: EngineSettings, wanted: DryCall) -> Caller:
    """Return who calls, as a channel would tell it."""
    return arrived(
        wanted.caller,
        at_site(wanted.at or datetime.now().astimezone(), settings.timezone),
        settings.region,
        name=wanted.caller_name,
        called=wanted.called,
        language=wanted.language or USUAL_LANGUAGE,
        call_id=wanted.call_id,
        plus=settings.numbers.plus,
    )


def run_examples(configuration: Configuration) -> Mapping[str, Sequence[Decision]]:
    """Return what the examples of each route come to, in their order. Waits for them, also where a loop is running."""
    wanted = [(name, example) for name, every in configuration.examples.items() for example in every]
    if not wanted:
        return dict.fromkeys(configuration.examples, ())
    # One loop for all: to make one costs as much as twenty examples.
    decisions = iter(_in_a_loop(_play(configuration, wanted)))
    return {name: [next(decisions) for _ in every] for name, every in configuration.examples.items()}


def _in_a_loop(playing: Coroutine[None, None, list[Decision]]) -> list[Decision]:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(playing)
    # A loop cannot wait within itself: whoever loads a folder inside one waits for a thread with another.
    with ThreadPoolExecutor(1, "examples") as thread:
        return thread.submit(asyncio.run, playing).result()


async def _play(configuration: Configuration, wanted: Sequence[tuple[str, Example]]) -> list[Decision]:
    calls = (example_call(name, example) for name, example in wanted)
    return [(await rehearse_canned(configuration, call, _unheard)).decision for call in calls]


def example_call(route: str, example: Example) -> DryCall:
    """Return the call that an example of this route is."""
    return DryCall(
        route,
        example.caller,
        example.caller_name,
        example.called,
        example.input,
        example.language,
        example.at,
        example.variables,
        example.records,
        example.states,
        example.origin,
        example.age_s,
        call_id="example",
    )


def _standing_still() -> float:
    return 0.0


def _unheard(_: Exception) -> None:
    """An error of ours: the example sees what a caller would, the route's default."""
