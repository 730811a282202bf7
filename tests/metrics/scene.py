"""Calls and look-ups to count, a meter, and what a scraper sees of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from routing_engine.core.events import CallAbandoned, CallRouted, ConfigurationTaken, Reading
from routing_engine.core.model import Caller, Decision, Destination
from routing_engine.core.phone import read_number
from routing_engine.event_bus import EventBus
from routing_engine.metrics.listener import MetricsListener
from routing_engine.metrics.meter import Meter

ANNA = Caller(read_number("+436641234567", "AT"), "217", "Anna Huber", call_id="1795198986.2")
ROUTES, INTEGRATIONS = ("support", "sales"), ("crm",)
#: Every state has something to tell.
STATES = (
    Reading("calls_in_progress", 3),
    Reading("connections_refused_total", 2),
    Reading("pbx_up", 1, ("main",)),
    Reading("hub_up", 1),
    Reading("hub_waiting", 2),
    Reading("hub_lag_seconds", 1.5),
    Reading("hub_aside", 0),
    Reading("edge_up", 1, ("office",)),
    Reading("edge_waiting", 2, ("office",)),
    Reading("edge_lag_seconds", 1.5, ("office",)),
    Reading("edge_aside", 0, ("office",)),
    Reading("edge_clock_ahead_seconds", -0.2, ("office",)),
    Reading("followed_calls_total", 3, ("inbound", "missed")),
    Reading("pbx_lag_seconds", 0.25, ("main",)),
    Reading("source_down", 1, ("crm", "contact")),
    Reading("source_down", 0, ("crm", "account")),
    Reading("breaker_open", 1, ("crm",)),
    Reading("cache_entries", 40),
    Reading("mirror_records", 500, ("crm", "contact")),
    Reading("mirror_age_seconds", 240.0, ("crm", "contact")),
    Reading("mirror_full_timestamp_seconds", 1_795_000_000.0, ("crm", "contact")),
    Reading("mirror_failing", 0, ("crm", "contact")),
    Reading("journal_waiting", 7),
    Reading("journal_lost_total", 1),
    Reading("journal_down", 1),
    Reading("database_waiting", 4),
    Reading("database_lost_total", 2),
    Reading("database_down", 1),
    Reading("calls_open", 3, ("main",)),
    Reading("deliveries_waiting", 12, ("crm",)),
    Reading("deliveries_dead", 1, ("crm",)),
    Reading("delivery_target_down", 0, ("crm",)),
    Reading("recordings_pending", 2, ("crm",)),
    Reading("workers", 2),
    Reading("worker_deaths_total", 1),
    Reading("activation_waiting", 1),
    Reading("activation_share_ratio", 0.1),
    Reading("activation_calls", 7, ("trial",)),
    Reading("activation_defaults", 1, ("trial",)),
    Reading("activation_rollbacks_total", 1),
    Reading("ready", 1),
)


def routed(route: str = "support", reason: Any = "matched", took_ms: float = 20.0, **more: Any) -> CallRouted:
    decision = Decision(route, "9bc5", reason, Destination("queue", "vip"))
    return CallRouted(ANNA, route, decision, took_ms=took_ms, **more)


def abandoned(route: str = "support", **more: Any) -> CallAbandoned:
    return CallAbandoned(ANNA, route, "the caller hung up", took_ms=900.0, **more)


def taken(revision: str, routes: Iterable[str] = ROUTES) -> ConfigurationTaken:
    return ConfigurationTaken(revision, tuple(routes), INTEGRATIONS)


class Counted:
    """A meter that hears what is published here, with a configuration in force."""

    def __init__(self, read: Callable[[], Iterable[Reading]] = lambda: STATES) -> None:
        self.meter = Meter("0.1.0", [read], now=lambda: 1_795_000_000.0)
        events = EventBus()
        self.meter.subscribe_to(events)
        self.publish = events.publish
        self.publish(taken("9bc58236f2cc"))

    async def text(self, accept: str = "") -> str:
        """A scrape."""
        return (await self.meter.scrape(accept))[0].decode()

    def families(self) -> Iterable[Metric]:
        """Everything that the last scrape saw, and what was counted since."""
        return self.meter.registry.collect()

    async def value(self, name: str, **labels: str) -> float | None:
        """A sample's value in a scrape; None when there is none."""
        return samples(await self.text()).get((f"routing_engine_{name}", tuple(sorted(labels.items()))))


@asynccontextmanager
async def listening(of: Counted, **limits: Any) -> AsyncIterator[MetricsListener]:
    """A listener on a free port."""
    listener = MetricsListener(of.meter, **limits)
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
