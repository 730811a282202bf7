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
from routing_engine.settings.paths import state_folder
from routing_engine.storage.forget_note import leave_note, note_path
from routing_engine.subscribers import SUBSCRIBERS, Host, Subscriber
from tests.fakes import Asterisk
from tests.journal.calls import Log
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


@pytest.mark.parametrize(
    ("engine", "keys"),
    [
        ("", []),
        ("database: other.db\n", ["database"]),
        ("journal: {path: own.db}\n", ["journal"]),
        ("database: other.db\njournal: none\n", ["database", "journal"]),
        ("journal: {keep_days: 3}\nkeep_days: 4\n", []),
    ],
)
async def test_a_database_that_moves_waits_for_the_restart(tmp_path: Path, engine: str, keys: list[str]) -> None:
    log = Log()
    service = Service(open_store(write(tmp_path, "http://127.0.0.1:1")))
    await service.start()
    write(tmp_path, "http://127.0.0.1:1", engine=engine)
    await service.reload()
    await service.close()
    assert [one["unchanged"] for one in log.said if one["event"] == "service.restart_needed"] == (
        [keys] if keys else []
    )


async def test_whoever_keeps_numbers_is_asked_to_forget_one(tmp_path: Path) -> None:
    forgotten = asyncio.Queue[str]()

    async def open_memory(host: Host) -> None:
        host.forgets.append(forgotten.put)

    service = Service(open_store(write(tmp_path, "http://127.0.0.1:1")), (open_memory,))
    await service.start()
    leave_note(note_path(state_folder(tmp_path)), "+436641234567")
    running = asyncio.create_task(service.run())
    assert await forgotten.get() == "+436641234567"
    service.stop()
    await running


def test_what_is_not_wanted_is_not_imported() -> None:
    code = "import sys, routing_engine.service; print([*sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not [name for name in ("prometheus_client", "opentelemetry") if f"'{name}" in ended.stdout]
