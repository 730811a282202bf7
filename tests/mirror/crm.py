"""A system whose records can be listed, and a mirror of it: what the tests of this room share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from routing_engine.core.model import Record, Value
from routing_engine.core.phone import read_number
from routing_engine.core.ports import Batch, Listing, Query
from routing_engine.lookup.limiter import Limiter
from routing_engine.mirror.provider import MirrorProvider
from routing_engine.settings.integration import Integration, Model, RateLimits
from routing_engine.settings.mirror import MirrorSettings

REGION = "AT"
MODEL = Model("contact", {name: name for name in ("id", "number", "name", "city", "phone")}, numbers=("phone",))
PEOPLE: Sequence[dict[str, Value]] = (
    {"id": "1", "number": "123456", "name": "Anna", "city": "Linz", "phone": "+43 664 1234567"},
    {"id": "2", "number": "0042", "name": "Paul", "city": "Linz", "phone": "0664/7654321"},
    {"id": "3", "number": "345678", "name": "Jörg", "city": "Graz", "phone": ("+49 30 123456", "0664 1111111")},
)


@dataclass(frozen=True)
class CrmSettings:
    """What can be listed."""

    lists: Listing = "changes"
    address: str = "https://crm.example.com"

    def listing(self, model: str) -> Listing:
        return self.lists


class Crm:
    """Keeps `Provider` and `Lists`. `faults` are raised one after the other instead of giving a page."""

    def __init__(self, clock: Clock, people: Sequence[Mapping[str, Value]] = PEOPLE, page: int = 2) -> None:
        self._clock, self._page = clock, page
        self.rows: dict[str, tuple[float, Mapping[str, Value]]] = {}
        self.deleted: dict[str, float] = {}
        self.faults: list[Exception | None] = []
        self.asked: list[tuple[str, str]] = []
        self.found: list[Query] = []
        self.closed = False
        for person in people:
            self.save(person)

    def save(self, person: Mapping[str, Value]) -> None:
        self.rows[str(person["id"])] = (self._clock(), person)
        self.deleted.pop(str(person["id"]), None)

    def delete(self, id_: str) -> None:
        if self.rows.pop(id_, None):
            self.deleted[id_] = self._clock()

    async def page(self, model: str, since: datetime | None, cursor: str) -> Batch:
        self.asked.append(("full" if since is None else "changes", cursor))
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        after = since.astimezone(UTC).timestamp() if since is not None else float("-inf")
        rows = [row for _, (at, row) in sorted(self.rows.items()) if at >= after]
        start = int(cursor or 0)
        gone = [id_ for id_, at in self.deleted.items() if since is not None and at >= after] if not start else []
        more = str(start + self._page) if start + self._page < len(rows) else ""
        return Batch([_record(row) for row in rows[start : start + self._page]], gone, more)

    async def find(self, query: Query) -> Sequence[Record]:
        self.found.append(query)
        return [_record(row) for _, row in self.rows.values() if query.value in str(row.get(query.field or "id"))]

    async def close(self) -> None:
        self.closed = True


def _record(row: Mapping[str, Value]) -> Record:
    return Record(dict(row), str(row["id"]), f"https://crm.example.com/{row['id']}")


@dataclass
class Clock:
    """Seconds since 1970 that pass when the test says so, or somebody sleeps."""

    now: float = 1_800_000_000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def integration(
    settings: MirrorSettings | None = None, model: Model = MODEL, source: CrmSettings | None = None
) -> Integration:
    return Integration(
        "crm", "fake", {"contact": model}, source or CrmSettings(), RateLimits(), settings or MirrorSettings()
    )


def a_mirror(
    folder: Path, crm: Crm, clock: Clock, settings: MirrorSettings | None = None, **more: object
) -> MirrorProvider:
    """A mirror that pulls when the test says so."""
    of = integration(settings, **more)  # type: ignore[arg-type]
    return MirrorProvider(of, crm, Limiter("crm", RateLimits(failures=0), clock), REGION, folder, clock, clock.sleep)


@asynccontextmanager
async def mirroring(
    folder: Path, crm: Crm, clock: Clock, settings: MirrorSettings | None = None, **more: object
) -> AsyncIterator[MirrorProvider]:
    """The same, closed at the end."""
    mirror = a_mirror(folder, crm, clock, settings, **more)
    try:
        yield mirror
    finally:
        await mirror.close()


def by_caller(number: str, field: str = "", form: str = "e164") -> Query:
    caller = read_number(number, REGION)
    assert caller is not None
    return Query("contact", field, caller.e164, True, caller, form)


def by_field(field: str, value: str) -> Query:
    return Query("contact", field, value, False, None)


async def everybody(mirror: MirrorProvider, ids: Sequence[str]) -> dict[str, Mapping[str, Value]]:
    """What the mirror has under these ids."""
    return {record.id: dict(record.fields) for id_ in ids for record in await mirror.find(by_field("id", id_))}
