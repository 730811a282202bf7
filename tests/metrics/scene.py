"""Calls and look-ups to count, a meter, and what a scraper sees of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from routing_engine.core.events import CallAbandoned, CallRouted
from routing_engine.core.model import Caller, Decision, Destination
from routing_engine.core.phone import read_number
from routing_engine.metrics.listener import MetricsListener
from routing_engine.metrics.meter import Meter
from routing_engine.metrics.readings import JournalState, MirrorState, Readings

ANNA = Caller(read_number("+436641234567", "AT"), "217", "Anna Huber", call_id="1795198986.2")
ROUTES, INTEGRATIONS = ("support", "sales"), ("crm",)
#: Every reading has something to tell.
READINGS = Readings(
    calls=lambda: 3,
    refused=lambda: 2,
    sources=lambda: {("crm", "contact"): True, ("crm", "account"): False},
    breakers=lambda: {"crm": True},
    cache_entries=lambda: 40,
    mirrors=lambda: {("crm", "contact"): MirrorState(500, 240.0, 1_795_000_000.0, False)},
    journal=lambda: JournalState(7, 1, True),
)


def routed(route: str = "support", reason: Any = "matched", took_ms: float = 20.0, **more: Any) -> CallRouted:
    return CallRouted(ANNA, Decision(route, "9bc5", reason, Destination("queue", "vip")), took_ms, **more)


def abandoned(route: str = "support", **more: Any) -> CallAbandoned:
    return CallAbandoned(ANNA, route, "the caller hung up", 900.0, **more)


def meter(readings: Readings = READINGS) -> Meter:
    """A meter with a configuration in force."""
    found = Meter(readings, "0.1.0", now=lambda: 1_795_000_000.0)
    found.took("9bc58236f2cc", ROUTES, INTEGRATIONS)
    return found


def value(of: Meter, name: str, **labels: str) -> float | None:
    """A sample's value; None when there is none."""
    return of.registry.get_sample_value(f"routing_engine_{name}", labels)


@asynccontextmanager
async def listening(of: Meter, **limits: Any) -> AsyncIterator[MetricsListener]:
    """A listener on a free port."""
    listener = MetricsListener(of, **limits)
    await listener.listen("127.0.0.1", 0)
    try:
        yield listener
    finally:
        await listener.stop()


async def get(listener: MetricsListener, path: str, method: str = "GET", **more: Any) -> tuple[int, str, str]:
    """Status, content type and text."""
    address = f"http://{listener.addresses[0]}{path}"
    async with ClientSession() as client, client.request(method, address, **more) as answer:
        return answer.status, answer.headers["Content-Type"], await answer.text()


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of a scrape by name and labels, as Prometheus' own parser reads it."""
    families = text_string_to_metric_families(text)
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for family in families for one in family.samples}
