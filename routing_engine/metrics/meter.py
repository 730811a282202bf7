"""Counts what happens: events in, counters and histograms up, a few microseconds a call. All on the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, product
from typing import TypeAlias

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from routing_engine.core.events import (
    CallAbandoned,
    CallEnded,
    CallRouted,
    ConfigurationRefused,
    ConfigurationTaken,
    EngineFault,
    LookedUp,
    Reading,
    TextSpoken,
)
from routing_engine.event_bus import EventBus
from routing_engine.metrics.table import METRICS, PREFIX, UNKNOWN_ROUTE, WORDS
from routing_engine.metrics.tallies import Tallies

#: Tells the states of a room. Called in the event loop once a scrape; must not wait.
ReadStates: TypeAlias = Callable[[], Iterable[Reading]]
#: A system was asked and it answered, or did not: its time counts.
_TIMED = frozenset({"found", "none", "down", "throttled"})


class CallMeter:
    """Counts calls, look-ups and texts, in each process that has them; `tallies` holds the figures."""

    def __init__(self) -> None:
        self.tallies = tallies = Tallies()
        self._routes: frozenset[str] = frozenset()
        self._calls = tallies.counter("calls_total")
        self._abandoned = tallies.counter("calls_abandoned_total")
        self._durations = tallies.histogram("call_duration_seconds")
        self._waited = tallies.histogram("caller_waited_seconds")
        self._silence = tallies.histogram("caller_silence_seconds")
        self._missing = tallies.counter("prompts_missing_total")
        self._lookups = tallies.counter("lookups_total")
        self._failures = tallies.counter("lookup_failures_total")
        self._asked = tallies.histogram("lookup_duration_seconds")
        self._early = tallies.counter("early_lookups_total")
        self._ages = tallies.histogram("cached_answer_age_seconds")
        self._texts = tallies.counter("texts_total")
        self._spoken = tallies.histogram("speech_duration_seconds")
        self._errors = tallies.counter("errors_total")

    def subscribe_to(self, events: EventBus, calls: bool = True) -> None:
        """Count from now on; without `calls` these are counted elsewhere, although they are heard of here."""
        if calls:
            events.subscribe_at_once(CallEnded, self._call_ended)
        events.subscribe_at_once(LookedUp, self._looked_up)
        events.subscribe_at_once(TextSpoken, self._text_spoken)
        events.subscribe_at_once(ConfigurationTaken, self._configuration_taken)
        events.subscribe_at_once(EngineFault, self._engine_fault)

    # ------------------------------------------------------------------------------------- inside

    def _call_ended(self, event: CallEnded) -> None:
        # Anybody who reaches FastAGI may ask for any name: each would be a series for ever.
        route = event.route if event.route in self._routes else UNKNOWN_ROUTE
        if route == UNKNOWN_ROUTE and event.health_check:
            return
        if isinstance(event, CallRouted):
            self._calls.add(route, event.decision.reason)
        elif isinstance(event, CallAbandoned):
            self._abandoned.add(route, event.cause)
        self._durations.observe(event.took_ms / 1000, route)
        self._waited.observe(event.waited_s, route)
        self._silence.observe(event.silence_s, route)
        if event.sounds_missing:
            self._missing.add(route, "sound", more=event.sounds_missing)
        if event.texts_unsaid:
            self._missing.add(route, "text", more=event.texts_unsaid)
        for early in event.early:
            self._early.add(*early)

    def _looked_up(self, event: LookedUp) -> None:
        self._lookups.add(event.integration, event.outcome, event.origin, event.purpose)
        if event.outcome in ("down", "throttled"):
            self._failures.add(event.integration, event.who)
        # The time of one that was dropped, skipped or kept says nothing about the system.
        if event.origin != "live":
            self._ages.observe(event.age_s, event.origin)
        elif event.outcome in _TIMED:
            self._asked.observe(event.took_s, event.integration)

    def _text_spoken(self, event: TextSpoken) -> None:
        self._texts.add("yes" if event.said else "no")
        self._spoken.observe(event.took_s)

    def _configuration_taken(self, event: ConfigurationTaken) -> None:
        self._routes |= frozenset(event.routes)

    def _engine_fault(self, _: EngineFault) -> None:
        self._errors.add()


class Meter(CallMeter):
    """The page of the engine: what is counted, here and in workers, and states.

    `readings` are asked at every scrape, in the event loop; before them whoever is in `refresh` may wait for others.
    """

    def __init__(
        self,
        version: str,
        readings: Sequence[ReadStates] = (),
        now: Callable[[], float] = time.time,
        refresh: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        super().__init__()
        self.registry = CollectorRegistry(auto_describe=False)
        self._now, self._version, self._refresh = now, version, refresh
        self._revision, self._loaded_at, self._refused = "", 0.0, False
        # The list, and not what stands in it now: who subscribes later adds to it.
        self._states = _States(lambda: chain(self._own(), *(read() for read in readings)))
        self._loads = self.tallies.counter("configuration_loads_total")
        self._begin_at_zero((), ())
        self.registry.register(self.tallies)
        self.registry.register(self._states)
        ProcessCollector(registry=self.registry)

    def subscribe_to(self, events: EventBus, calls: bool = True) -> None:
        """Count from now on, configurations too."""
        super().subscribe_to(events, calls)
        events.subscribe_at_once(ConfigurationRefused, self._configuration_refused)

    async def scrape(self, accept: str = "") -> tuple[bytes, str]:
        """Return all metrics as Prometheus reads them, and their content type, as the header `Accept` wants it.

        States are read here, in the event loop; the text is made in a thread, so that no call waits for all of it.
        """
        encode, content_type = choose_encoder(accept)
        for refresh in self._refresh:
            await refresh()
        self._states.read()
        return await asyncio.to_thread(encode, self.registry), content_type

    # ------------------------------------------------------------------------------------- inside

    def _configuration_taken(self, event: ConfigurationTaken) -> None:
        super()._configuration_taken(event)
        self._revision, self._loaded_at, self._refused = event.revision, self._now(), False
        self._loads.add("yes")
        self._begin_at_zero(event.routes, event.integrations)

    def _configuration_refused(self, _: ConfigurationRefused) -> None:
        self._refused = True
        self._loads.add("no")

    def _begin_at_zero(self, routes: Iterable[str], integrations: Iterable[str]) -> None:
        # `increase` does not see the first event of a series that begins with it, so what alarms look at begins at 0.
        self._errors.add(more=0)
        for tally, labels in ((self._loads, WORDS["accepted"]), (self._texts, WORDS["said"])):
            for label in labels:
                tally.add(label, more=0)
        for route in (*routes, UNKNOWN_ROUTE):
            for reason in WORDS["reason"]:
                self._calls.add(route, reason, more=0)
            for cause in WORDS["cause"]:
                self._abandoned.add(route, cause, more=0)
        for integration, outcome in product(integrations, _TIMED):
            self._lookups.add(integration, outcome, "live", "call", more=0)

    def _own(self) -> Iterator[Reading]:
        yield Reading("configuration_refused", self._refused)
        yield Reading("configuration_loaded_timestamp_seconds", self._loaded_at)
        yield Reading("configuration_info", 1, (self._revision,))
        yield Reading("build_info", 1, (self._version,))


def together(readings: Iterable[Reading]) -> Iterator[Reading]:
    """Yield each state once: what several processes say of it added up, or the most of it, as its row says."""
    found: dict[tuple[str, tuple[str, ...]], float] = {}
    for name, value, labels in readings:
        known, place = found.get((name, labels)), (name, labels)
        if known is None:
            found[place] = value
        else:
            found[place] = known + value if METRICS[PREFIX + name].adds else max(known, value)
    yield from (Reading(name, value, labels) for (name, labels), value in found.items())


class _States(Collector):
    """What is read at the moment of a scrape: `read` in the event loop, `collect` in any thread."""

    def __init__(self, source: ReadStates) -> None:
        self._source = source
        self._read: tuple[Reading, ...] = ()

    def read(self) -> None:
        """Read all states anew."""
        self._read = tuple(together(self._source()))

    def collect(self) -> Iterable[Family]:
        """Return the families of what was read."""
        families: dict[str, _StateFamily] = {}
        for name, value, labels in self._read:
            metric = METRICS[PREFIX + name]
            if name not in families:
                kind, ending = _FAMILIES[metric.kind]
                families[name] = kind(metric.name.removesuffix(ending), metric.help, labels=metric.labels)
            family = families[name]
            if isinstance(family, InfoMetricFamily):
                family.add_metric((), dict(zip(metric.labels, labels, strict=True)))
            else:
                family.add_metric(labels, value)
        return families.values()


_StateFamily: TypeAlias = GaugeMetricFamily | CounterMetricFamily | InfoMetricFamily
_FAMILIES: Mapping[str, tuple[type[_StateFamily], str]] = {
    "gauge": (GaugeMetricFamily, ""),
    "counter": (CounterMetricFamily, "_total"),
    "info": (InfoMetricFamily, "_info"),
}
