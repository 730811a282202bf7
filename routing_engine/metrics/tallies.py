"""Counters and histograms that can be handed on: what a process has counted is added to what another one has.

Of the event loop alone, and without a lock: one more costs a look into a dict. `prometheus_client` writes them down.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from routing_engine.metrics.table import METRICS, PREFIX, Metric

Labels: TypeAlias = tuple[str, ...]
#: By metric and labels: of a counter its number, of a histogram the number in each bucket and, at last, the sum.
Counted: TypeAlias = dict[str, dict[Labels, list[float]]]


class CountTally:
    """A counter, by its labels."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self.series: dict[Labels, list[float]] = {}

    def add(self, *labels: str, more: float = 1) -> None:
        """Count; 0 begins a series."""
        found = self.series.get(labels)
        if found is None:
            self.series[labels] = [more]
        else:
            found[0] += more

    def family(self) -> Family:
        """Return it as it is written down."""
        found = CounterMetricFamily(
            self._metric.name.removesuffix("_total"), self._metric.help, labels=self._metric.labels
        )
        # A list at once: this runs in a thread, while the loop counts on.
        for labels, (value,) in list(self.series.items()):
            found.add_metric(labels, value)
        return found


class TimeTally:
    """A histogram, by its labels."""

    def __init__(self, metric: Metric) -> None:
        self._metric, self._bounds = metric, metric.buckets
        self._names = (*map(floatToGoString, metric.buckets), "+Inf")
        self.series: dict[Labels, list[float]] = {}

    def observe(self, seconds: float, *labels: str) -> None:
        """Count a time."""
        found = self.series.get(labels)
        if found is None:
            found = self.series[labels] = [0.0] * (len(self._bounds) + 2)
        found[bisect_left(self._bounds, seconds)] += 1
        found[-1] += seconds

    def family(self) -> Family:
        """Return it as it is written down: each bucket with those below it."""
        found = HistogramMetricFamily(self._metric.name, self._metric.help, labels=self._metric.labels)
        for labels, counts in list(self.series.items()):
            found.add_metric(labels, list(self._buckets(counts)), counts[-1])
        return found

    def _buckets(self, counts: Sequence[float]) -> Iterator[tuple[str, float]]:
        below = 0.0
        for name, count in zip(self._names, counts[:-1], strict=True):
            below += count
            yield name, below


class Tallies(Collector):
    """Every counter and histogram of a process."""

    def __init__(self) -> None:
        self._all: dict[str, CountTally | TimeTally] = {}

    def counter(self, name: str) -> CountTally:
        """Return the counter of a row of the table; `name` is without its prefix."""
        found = self._all[name] = CountTally(METRICS[PREFIX + name])
        return found

    def histogram(self, name: str) -> TimeTally:
        """Return the histogram of a row of the table."""
        found = self._all[name] = TimeTally(METRICS[PREFIX + name])
        return found

    def drain(self) -> Counted:
        """Return what was counted since the last time, and begin anew."""
        counted = {name: one.series for name, one in self._all.items() if one.series}
        for name in counted:
            self._all[name].series = {}
        return counted

    def add(self, counted: Mapping[str, Mapping[Labels, Sequence[float]]]) -> None:
        """Add what another process has counted."""
        for name, series in counted.items():
            own = self._all[name].series
            for labels, more in series.items():
                known = own.get(labels)
                own[labels] = (
                    list(more) if known is None else [one + other for one, other in zip(known, more, strict=True)]
                )

    def collect(self) -> Iterable[Family]:
        """Return all as they are written down; in any thread."""
        return [one.family() for one in self._all.values()]
