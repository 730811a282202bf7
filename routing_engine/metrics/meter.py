"""Counts what happens: events in, counters and histograms up, a few microseconds a call.

All on the event loop. Children are kept by their labels here: asking the library for one costs more than counting.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.process_collector import ProcessCollector

from routing_engine.core.events import HEALTH_CHECK, CallAbandoned, CallRouted, LookedUp
from routing_engine.core.ports import Speech
from routing_engine.metrics.readings import Readings
from routing_engine.metrics.states import States
from routing_engine.metrics.table import METRICS, PREFIX, UNKNOWN_ROUTE, WORDS

T = TypeVar("T", Counter, Histogram)
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
    """The counted metrics and a registry of all. `readings` are asked at every scrape."""

    def __init__(self, readings: Readings, version: str, now: Callable[[], float] = time.time) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self.not_ready = readings.not_ready
        self._states = States(readings, version, now)
        self._routes: set[str] = set()
        self._calls = self._counter("calls_total")
        self._abandoned = self._counter("calls_abandoned_total")
        self._durations = self._histogram("call_duration_seconds")
        self._waited = self._histogram("caller_waited_seconds")
        self._silence = self._histogram("caller_silence_seconds")
        self._missing = self._counter("prompts_missing_total")
        self._lookups = self._counter("lookups_total")
        self._asked = self._histogram("lookup_duration_seconds")
        self._early = self._counter("early_lookups_total")
        self._ages = self._histogram("cached_answer_age_seconds")
        self._texts = self._counter("texts_total")
        self._spoken = self._histogram("speech_duration_seconds")
        self._loads = self._counter("configuration_loads_total")
        self._errors = self._counter("errors_total")
        for children, labels in ((self._loads, WORDS["accepted"]), (self._texts, WORDS["said"])):
            for label in labels:
                children[(label,)].inc(0)
        self.registry.register(self._states)
        ProcessCollector(registry=self.registry)

    def publish(self, event: CallRouted | CallAbandoned) -> None:
        """Count a call."""
        name = event.decision.route if isinstance(event, CallRouted) else event.route
        route = name if name in self._routes else UNKNOWN_ROUTE
        if route == UNKNOWN_ROUTE and name.startswith(HEALTH_CHECK):
            return
        if isinstance(event, CallRouted):
            self._calls[route, event.decision.reason].inc()
        else:
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

    def looked_up(self, event: LookedUp) -> None:
        """Count a look-up. The time of one that was dropped, held or kept tells nothing of the system."""
        self._lookups[event.integration, event.outcome, event.origin, event.purpose].inc()
        if event.origin != "live":
            self._ages[(event.origin,)].observe(event.age_s)
        elif event.outcome in _TIMED:
            self._asked[(event.integration,)].observe(event.took_s)

    def took(self, revision: str, routes: Collection[str], integrations: Collection[str]) -> None:
        """Note a configuration that is in force from now on."""
        self._states.took(revision)
        self._loads[("yes",)].inc()
        self._routes.update(routes)
        self._begin_at_zero(routes, integrations)

    def refused(self) -> None:
        """Note a configuration that cannot be used."""
        self._states.refused()
        self._loads[("no",)].inc()

    def failed(self) -> None:
        """Count a fault of ours."""
        self._errors[()].inc()

    def spoke(self, said: bool, took_s: float) -> None:
        """Count a text that a call wanted to have spoken."""
        self._texts[("yes" if said else "no",)].inc()
        self._spoken[()].observe(took_s)

    # ------------------------------------------------------------------------------------- inside

    def _begin_at_zero(self, routes: Collection[str], integrations: Collection[str]) -> None:
        """Make what alarms look at: `increase` does not see the first event of a series that begins with it."""
        for route in (*routes, UNKNOWN_ROUTE):
            for reason in WORDS["reason"]:
                self._calls[route, reason].inc(0)
            for cause in WORDS["cause"]:
                self._abandoned[route, cause].inc(0)
        for integration in integrations:
            for outcome in _TIMED:
                self._lookups[integration, outcome, "live", "call"].inc(0)

    def _counter(self, name: str) -> _Children[Counter]:
        metric = METRICS[PREFIX + name]
        return _Children(Counter(metric.name, metric.help, metric.labels, registry=self.registry))

    def _histogram(self, name: str) -> _Children[Histogram]:
        metric = METRICS[PREFIX + name]
        buckets = metric.buckets
        return _Children(Histogram(metric.name, metric.help, metric.labels, registry=self.registry, buckets=buckets))


class MeasuredSpeech:
    """Keeps the port `Speech` over another that does the work, and counts what it did."""

    def __init__(self, speech: Speech, meter: Meter, clock: Callable[[], float] = time.monotonic) -> None:
        self._speech, self._meter, self._clock = speech, meter, clock

    async def sound(self, text: str, language: str) -> str | None:
        """Return what the other gives."""
        began = self._clock()
        name = await self._speech.sound(text, language)
        self._meter.spoke(name is not None, self._clock() - began)
        return name
