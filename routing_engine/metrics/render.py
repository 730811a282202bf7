"""From a registry to the text that Prometheus reads, a few lines at a time, so that no call waits for all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from copy import copy

from prometheus_client import CollectorRegistry, exposition
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

OPENMETRICS = "application/openmetrics-text"
_END = b"# EOF\n"
#: So many lines are written before the calls have their turn: less than a millisecond.
_LINES = 60


class _One(Collector):
    """What the library's encoders take: something to collect from."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def collect(self) -> Iterable[Family]:
        """Return the one family."""
        return (self._family,)


async def render(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """Return the text and its content type: OpenMetrics where the header `Accept` names it, else the older form."""
    is_open = OPENMETRICS in accept
    encode = openmetrics.generate_latest if is_open else exposition.generate_latest
    parts: list[bytes] = []
    for family in registry.collect():
        for count, piece in enumerate(_pieces(family)):
            text = encode(_One(piece)).removesuffix(_END)
            parts.append(_without_head(text) if count else text)
            await asyncio.sleep(0)
    if is_open:
        return b"".join((*parts, _END)), openmetrics.CONTENT_TYPE_LATEST
    return b"".join(parts), exposition.CONTENT_TYPE_PLAIN_0_0_4


def _pieces(family: Family) -> Iterator[Family]:
    """Cut a family into some that have few samples; the first has the head, also when there is no sample.

    When a series began is left out: that is one more series for each, and nobody asks for it.
    """
    samples = [one for one in family.samples if not one.name.endswith("_created")]
    for begin in range(0, max(len(samples), 1), _LINES):
        piece = copy(family)
        piece.samples = samples[begin : begin + _LINES]
        yield piece


def _without_head(text: bytes) -> bytes:
    """Drop the lines that tell a family's meaning and type."""
    while text.startswith(b"# "):
        text = text.partition(b"\n")[2]
    return text
