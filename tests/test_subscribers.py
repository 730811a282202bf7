"""Adding a subscriber as a stranger would, and what those of the engine do with nothing wanted."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from routing_engine.core.events import CallEnded, CallRouted, Reading
from routing_engine.engine import open_store
from routing_engine.service import Service
from routing_engine.subscribers import SUBSCRIBERS, Host, Subscriber
from tests.fakes import Asterisk
from tests.test_service import call, middleware, write

pytestmark = pytest.mark.io


async def test_a_stranger_adds_a_subscriber_with_its_metric_and_its_end(tmp_path: Path) -> None:
    rules = asyncio.Queue[str]()
    closed = asyncio.Event()

    async def open_notifier(host: Host) -> Subscriber:
        async def notify(event: CallRouted) -> None:
            await rules.put(event.decision.rule)

        async def close() -> None:
            closed.set()

        host.events.subscribe(CallRouted, notify)
        host.readings.append(lambda: [Reading("cache_entries", 1)])
        return Subscriber(close=close)

    async with middleware() as (_, address):
        service = Service(open_store(write(tmp_path, address)), (*SUBSCRIBERS, open_notifier))
        await service.start()
        await call(int(service.addresses[0].rpartition(":")[2]))
        assert await rules.get() == "any"
        await service.close()
    assert closed.is_set()


async def test_a_subscriber_that_breaks_or_hangs_costs_no_call_anything(tmp_path: Path) -> None:
    heard = list[CallEnded]()

    def break_down(event: CallEnded) -> None:
        raise ZeroDivisionError

    async def hang(event: CallEnded) -> None:
        await asyncio.Event().wait()

    async def open_bad(host: Host) -> None:
        host.events.subscribe_at_once(CallEnded, break_down)
        host.events.subscribe(CallEnded, hang)
        host.events.subscribe_at_once(CallEnded, heard.append)

    async with middleware() as (_, address):
        service = Service(open_store(write(tmp_path, address)), (open_bad, *SUBSCRIBERS))
        await service.start()
        port = int(service.addresses[0].rpartition(":")[2])
        landed = [await call(port) for _ in range(2)]
        service.stop()
        service.stop()  # at once: one that hangs is not waited for
        await service.close()
    assert [one["ROUTE_TARGET"] for one in landed] == ["vip", "vip"]
    assert len(heard) == 2


async def test_a_call_that_ends_is_told_of_with_what_its_caller_went_through(tmp_path: Path) -> None:
    heard = list[CallEnded]()

    async def open_ears(host: Host) -> None:
        host.events.subscribe_at_once(CallEnded, heard.append)

    async with middleware() as (_, address):
        service = Service(open_store(write(tmp_path, address)), (open_ears,))
        await service.start()
        await Asterisk().call(int(service.addresses[0].rpartition(":")[2]), network_script="support")
        await service.close()
    (event,) = heard
    assert (type(event), event.route) == (CallRouted, "support")
    assert event.took_ms > event.waited_s * 1000 > 0


def test_what_is_not_wanted_is_not_imported() -> None:
    code = "import sys, routing_engine.service; print([*sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not [name for name in ("prometheus_client", "opentelemetry") if f"'{name}" in ended.stdout]
