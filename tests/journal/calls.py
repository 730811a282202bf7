"""Calls to record, and what is in the file afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from routing_engine.core.events import CallAbandoned, CallRouted
from routing_engine.core.model import Caller, Decision, Destination, Record, Spoken, TrailStep
from routing_engine.core.phone import Number, read_number
from routing_engine.journal.privacy import Privacy
from routing_engine.journal.reader import find_call, list_calls, open_to_read
from routing_engine.journal.stored_call import CallFilter, StoredCall
from routing_engine.journal.writer import Journal
from routing_engine.settings.stores import JournalSettings, Mode
from routing_engine.storage.place import DatabasePlace
from tests.fakes import FOREVER_S

KEY = "0123456789abcdef0123456789abcdef"
AT = datetime(2026, 11, 18, 10, 30, 15, 250_000, tzinfo=ZoneInfo("Europe/Vienna"))
#: What an attacker would look for: every spelling of +43 664 1234567 that systems use.
SPELLINGS = (
    "+43 664 1234567",
    "+436641234567",
    "00436641234567",
    "06641234567",
    "0664/123 45 67",
    "+43 (0)664 1234567",
)


def number(text: str) -> Number:
    found = read_number(text, "AT")
    assert found is not None
    return found


ANNA = Caller(number("+43 664 1234567"), "217", "Anna Huber", "de", AT, "1795198986.2", variables={"SECRET": "4711"})
TRAIL = (
    TrailStep("instruction greeting", "played", 2100.04),
    TrailStep("source crm", "1 record", 83.2),
    TrailStep("rule gold", "call.caller is '+436641234567': it is not '+431999888'"),
    TrailStep("rule silver", "matched"),
)
DECISION = Decision(
    route="support",
    revision="9bc58236f2cc",
    reason="matched",
    destination=Destination("queue", "vip", 10, 20),
    play=("greeting", Spoken("digits", "555444")),
    rule="silver",
    source="crm",
    record=Record(
        {"tier": "silver", "phone": "+43 1 5550199"}, "0012345678", "https://crm.example/7?q=%2B436641234567"
    ),
    sets=(("caller_name", "Anna Huber"),),
    trail=TRAIL,
    chain=(Destination("external", "+4319998877"), Destination("voicemail", "217")),
)


def routed(caller: str | None = "+43 664 1234567", call_id: str = "1795198986.2", **changed: Any) -> CallRouted:
    """A call that was routed; `at` is of the caller, everything else of the decision."""
    about = replace(ANNA, number=None if caller is None else number(caller), call_id=call_id)
    about = replace(about, at=changed.pop("at", AT), called=changed.pop("called", "217"))
    decision = replace(DECISION, **changed)
    return CallRouted(about, decision.route, decision, took_ms=2190.5, waited_s=0.0832, silence_s=0.0407)


def abandoned(call_id: str = "1795198986.9") -> CallAbandoned:
    return CallAbandoned(replace(ANNA, call_id=call_id), "support", "the caller hung up", took_ms=800.0)


def settings(mode: Mode = "masked", **more: Any) -> JournalSettings:
    return JournalSettings(numbers=mode, key=KEY if mode == "hashed" else "", **more)


@asynccontextmanager
async def opened(path: Path, kept: JournalSettings | None = None, **more: Any) -> AsyncIterator[Journal]:
    journal = Journal(DatabasePlace(path), kept or JournalSettings(), "AT", **more)
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close(60)


async def write(path: Path, *events: CallRouted | CallAbandoned, kept: JournalSettings | None = None) -> None:
    """Record calls and close the journal."""
    async with opened(path, kept) as journal:
        for event in events:
            journal.record(event)


class Log:
    """What the journal says, from whichever thread; somebody may wait for it."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self._more = threading.Condition()
        structlog.configure(processors=[self._hear])

    def _hear(self, _: object, __: str, event: MutableMapping[str, Any]) -> None:
        with self._more:
            self.said.append(dict(event))
            self._more.notify_all()
        raise structlog.DropEvent

    @property
    def events(self) -> list[str]:
        return [one["event"] for one in self.said]

    async def wait_for(self, event: str) -> dict[str, Any]:
        """Return what was said with an event, as soon as it is."""

        def wait() -> None:
            with self._more:
                assert self._more.wait_for(lambda: event in self.events, FOREVER_S), f"{event} was not said"

        await asyncio.to_thread(wait)
        return self.said[self.events.index(event)]


def kept_call(path: Path, call_id: str = "1795198986.2") -> StoredCall:
    with open_to_read(DatabasePlace(path)) as connection:
        (call,) = find_call(connection, call_id)
    return call


def kept_ids(path: Path, **wanted: Any) -> list[str]:
    """The ids of the calls that fit, the newest first."""
    privacy = wanted.pop("privacy", None)
    with open_to_read(DatabasePlace(path)) as connection:
        found = list_calls(connection, CallFilter(**{"limit": 100_000, **wanted}), privacy or Privacy("masked"))
    return [call.call_id for call in found]


def count(path: Path) -> int:
    with closing(sqlite3.connect(path)) as file:
        return int(file.execute("SELECT count(*) FROM decisions").fetchone()[0])


def bytes_of(path: Path) -> bytes:
    """Every byte of the journal: the database, its log, and whatever else lies beside it."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(path.name + "*")))
