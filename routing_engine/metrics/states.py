"""What is read at the moment of a scrape, as families of metrics: readings, and the configuration in force."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric as Family

from routing_engine.metrics.readings import JournalState, MirrorState, Readings
from routing_engine.metrics.table import METRICS, PREFIX


class States:
    """A collector of what is read, and of the configuration in force."""

    def __init__(self, readings: Readings, version: str, now: Callable[[], float] = time.time) -> None:
        self._readings = readings
        self._version = version
        self._now = now
        self._revision = ""
        self._loaded_at = 0.0
        self._refused = False

    def took(self, revision: str) -> None:
        """Note that a configuration is in force."""
        self._revision, self._loaded_at, self._refused = revision, self._now(), False

    def refused(self) -> None:
        """Note that the folder holds one that cannot be used."""
        self._refused = True

    def collect(self) -> Iterator[Family]:
        """Return every family, read now."""
        read = self._readings
        yield _gauge("calls_in_progress", read.calls())
        yield _counter("connections_refused_total", read.refused())
        yield _gauges("source_down", read.sources().items())
        yield _gauges("breaker_open", (((name,), spared) for name, spared in read.breakers().items()))
        yield _gauge("cache_entries", read.cache_entries())
        yield from _of_mirrors(read.mirrors())
        yield from _of_journal(read.journal())
        yield _gauge("configuration_refused", self._refused)
        yield _gauge("configuration_loaded_timestamp_seconds", self._loaded_at)
        yield _info("configuration_info", self._revision)
        yield _info("build_info", self._version)
        yield _gauge("ready", not read.not_ready())

    def describe(self) -> Collection[Family]:
        """Return no family: registering must not read."""
        return ()


def _of_journal(state: JournalState | None) -> Iterator[Family]:
    """Return what is known of the journal; nothing where none is kept."""
    if state is not None:
        yield _gauge("journal_waiting", state.waiting)
        yield _counter("journal_lost_total", state.lost)
        yield _gauge("journal_down", state.down)


def _of_mirrors(states: Mapping[tuple[str, str], MirrorState]) -> Iterator[Family]:
    """Return what is known of mirrored sources; no series where nothing is mirrored."""
    yield _gauges("mirror_records", ((one, state.records) for one, state in states.items()))
    yield _gauges("mirror_age_seconds", ((one, state.age_s) for one, state in states.items()))
    yield _gauges("mirror_full_timestamp_seconds", ((one, state.full_at) for one, state in states.items()))
    yield _gauges("mirror_failing", ((one, state.failing) for one, state in states.items()))


def _gauge(name: str, value: float) -> Family:
    return GaugeMetricFamily(PREFIX + name, METRICS[PREFIX + name].help, value=value)


def _gauges(name: str, values: Iterable[tuple[tuple[str, ...], float]]) -> Family:
    metric = METRICS[PREFIX + name]
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def _counter(name: str, value: float) -> Family:
    return CounterMetricFamily(PREFIX + name, METRICS[PREFIX + name].help, value=value)


def _info(name: str, value: str) -> Family:
    metric = METRICS[PREFIX + name]
    return InfoMetricFamily(metric.name.removesuffix("_info"), metric.help, value={metric.labels[0]: value})
