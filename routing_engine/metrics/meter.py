"""Counts what happens: events in, counters and histograms up, a few microseconds a call.

All on the event loop. Children are kept by their labels here: asking the library for one costs more than counting.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, product
from typing import TypeAlias, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
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

T = TypeVar("T", Counter, Histogram)
#: Tells the states of a room. Called in the event loop once a scrape; must not wait.
ReadStates: TypeAlias = Callable[[], Iterable[Reading]]
#: A system was asked and it answered, or did not: its time counts.
_TIMED = frozenset({"found", "none", "down", "throttled"})


class _Children(dict[tuple[str, ...], T]):
    """The children of a metric by their labels, each made when it is first needed."""

    def __init__(self, parent: T) -> None:
        super().__init__()
        self._parent: T = parent

    def __missing__(self, labels: tuple[str, ...]) -> T:
        child: T = self._parent.labels(*labels) if labels else self._parent
        self[labels] = child
        return child


class Meter:
    """The counted metrics and a registry of all. `readings` are asked at every scrape, in the event loop."""

    def __init__(self, version: str, readings: Sequence[ReadStates] = (), now: Callable[[], float] = time.time) -> None:
        # When a series began is one more series for each, and nobody asks for it.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry(auto_describe=False)
        self._now, self._version = now, version
        self._revision, self._loaded_at, self._refused = "", 0.0, False
        # The list, and not what stands in it now: who subscribes later adds to it.
        self._states = _States(lambda: chain(self._own(), *(read() for read in readings)))
        self._routes: set[str] = set()
        self._calls = self._counter("calls_total")
        self._abandoned = self._counter("calls_abandoned_total")
        self._durations = self._histogram("call_duration_seconds")
        self._waited = self._histogram("caller_waited_seconds")
        self._silence = self._histogram("caller_silence_seconds")
        self._missing = self._counter("prompts_missing_total")
        self._lookups = self._counter("lookups_total")
        self._failures = self._counter("lookup_failures_total")
        self._asked = self._histogram("lookup_duration_seconds")
        self._early = self._counter("early_lookups_total")
        self._ages = self._histogram("cached_answer_age_seconds")
        self._texts = self._counter("texts_total")
        self._spoken = self._histogram("speech_duration_seconds")
        self._loads = self._counter("configuration_loads_total")
        self._errors = self._counter("errors_total")
        self._begin_at_zero((), ())
        self.registry.register(self._states)
        ProcessCollector(registry=self.registry)

    def subscribe_to(self, events: EventBus) -> None:
        """Count from now on."""
        events.subscribe_at_once(CallEnded, self._call_ended)
        events.subscribe_at_once(LookedUp, self._looked_up)
        events.subscribe_at_once(TextSpoken, self._text_spoken)
        events.subscribe_at_once(ConfigurationTaken, self._configuration_taken)
        events.subscribe_at_once(ConfigurationRefused, self._configuration_refused)
        events.subscribe_at_once(EngineFault, self._engine_fault)

    async def scrape(self, accept: str = "") -> tuple[bytes, str]:
        """Return all metrics as Prometheus reads them, and their content type, as the header `Accept` wants it.

        States are read here, in the event loop; the text is made in a thread, so that no call waits for all of it.
        """
        encode, content_type = choose_encoder(accept)
        self._states.read()
        return await asyncio.to_thread(encode, self.registry), content_type

    # ------------------------------------------------------------------------------------- inside

    def _call_ended(self, event: CallEnded) -> None:
        # Anybody who reaches FastAGI may ask for any name: each would be a series for ever.
        route = event.route if event.route in self._routes else UNKNOWN_ROUTE
        if route == UNKNOWN_ROUTE and event.health_check:
            return
        if isinstance(event, CallRouted):
            self._calls[route, event.decision.reason].inc()
        elif isinstance(event, CallAbandoned):
            self._abandoned[route, event.cause].inc()
        self._durations[(route,)].observe(event.took_ms / 1000)
        self._waited[(route,)].observe(event.waited_s)
        self._silence[(route,)].observe(event.silence_s)
        if event.sounds_missing:
            self._missing[route, "sound"].inc(event.sounds_missing)
        if event.texts_unsaid:
            self._missing[route, "text"].inc(event.texts_unsaid)
        for early in event.early:
            self._early[early].inc()

    def _looked_up(self, event: LookedUp) -> None:
        self._lookups[event.integration, event.outcome, event.origin, event.purpose].inc()
        if event.outcome in ("down", "throttled"):
            self._failures[event.integration, event.who].inc()
        # The time of one that was dropped, skipped or kept says nothing about the system.
        if event.origin != "live":
            self._ages[(event.origin,)].observe(event.age_s)
        elif event.outcome in _TIMED:
            self._asked[(event.integration,)].observe(event.took_s)

    def _text_spoken(self, event: TextSpoken) -> None:
        self._texts[("yes" if event.said else "no",)].inc()
        self._spoken[()].observe(event.took_s)

    def _configuration_taken(self, event: ConfigurationTaken) -> None:
        self._revision, self._loaded_at, self._refused = event.revision, self._now(), False
        self._loads[("yes",)].inc()
        self._routes.update(event.routes)
        self._begin_at_zero(event.routes, event.integrations)

    def _configuration_refused(self, _: ConfigurationRefused) -> None:
        self._refused = True
        self._loads[("no",)].inc()

    def _engine_fault(self, _: EngineFault) -> None:
        self._errors[()].inc()

    def _begin_at_zero(self, routes: Iterable[str], integrations: Iterable[str]) -> None:
        # `increase` does not see the first event of a series that begins with it, so what alarms look at begins at 0.
        for children, labels in ((self._loads, WORDS["accepted"]), (self._texts, WORDS["said"])):
            for label in labels:
                children[(label,)].inc(0)
        for route in (*routes, UNKNOWN_ROUTE):
            for reason in WORDS["reason"]:
                self._calls[route, reason].inc(0)
            for cause in WORDS["cause"]:
                self._abandoned[route, cause].inc(0)
        for integration, outcome in product(integrations, _TIMED):
            self._lookups[integration, outcome, "live", "call"].inc(0)

    def _own(self) -> Iterator[Reading]:
        yield Reading("configuration_refused", self._refused)
        yield Reading("configuration_loaded_timestamp_seconds", self._loaded_at)
        yield Reading("configuration_info", 1, (self._revision,))
        yield Reading("build_info", 1, (self._version,))

    def _counter(self, name: str) -> _Children[Counter]:
        metric = METRICS[PREFIX + name]
        return _Children(Counter(metric.name, metric.help, metric.labels, registry=self.registry))

    def _histogram(self, name: str) -> _Children[Histogram]:
        metric = METRICS[PREFIX + name]
        buckets = metric.buckets
        return _Children(Histogram(metric.name, metric.help, metric.labels, registry=self.registry, buckets=buckets))


class _States(Collector):
    """What is read at the moment of a scrape: `read` in the event loop, `collect` in any thread."""

    def __init__(self, source: ReadStates) -> None:
        self._source = source
        self._read: tuple[Reading, ...] = ()

    def read(self) -> None:
        """Read all states anew."""
        self._read = tuple(self._source())

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
