"""What stands around deliveries in tests: a clock that is moved, a book in memory, a database without a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from routing_engine.calls.call import Call, CallContact, CallDelivery, CallRecording
from routing_engine.delivery import outbox_table
from routing_engine.delivery.jobs import Delivered, Job, NewJob, Queue, SendOutcome
from routing_engine.delivery.lane import Workplace
from routing_engine.delivery.outbox_table import METADATA
from routing_engine.errors import UnknownCall

T = TypeVar("T")
NOON = 1_800_000_000.0


def a_call(call_id: str = "call-1", **changed: object) -> Call:
    """An inbound call that anna answered and that is over."""
    call = Call(call_id, "main", "1795198986.2", "inbound", NOON, from_="+436641234567", to="+43123456", state="ended")
    return replace(call, **{"outcome": "answered", **changed})  # type: ignore[arg-type]


@dataclass
class FakeClock:
    """A clock that stands until it is moved."""

    at: float = NOON

    def __call__(self) -> float:
        return self.at


class InlineDatabase:
    """A database in memory that works at once, in the test's own thread. `full` refuses every write, as a full disk."""

    def __init__(self) -> None:
        self._engine = create_engine("sqlite://", poolclass=StaticPool)
        self.full: Exception | None = None
        METADATA.create_all(self._engine)

    async def write(self, work: Callable[[Connection], T]) -> T:
        if self.full is not None:
            raise self.full
        return self.now(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        return self.now(work)

    def now(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)

    def jobs(self) -> Sequence[Job]:
        return self.now(lambda connection: outbox_table.listed(connection, None, 1000))

    def close(self) -> None:
        self._engine.dispose()


@dataclass
class FakeBook:
    """The book of calls, in memory; `told` are all deliveries in order."""

    calls: dict[str, Call] = field(default_factory=dict)
    told: list[tuple[str, str, CallDelivery]] = field(default_factory=list)

    def add(self, *calls: Call) -> None:
        self.calls |= {call.id: call for call in calls}

    async def call(self, call_id: str) -> Call | None:
        return self.calls.get(call_id)

    async def set_delivery(self, call_id: str, target: str, delivery: CallDelivery) -> Call:
        self.told.append((call_id, target, delivery))
        return self._change(call_id, deliveries={**self.calls[call_id].deliveries, target: delivery})

    async def set_recording(self, call_id: str, recording: CallRecording) -> Call:
        return self._change(call_id, recording=recording)

    async def set_contact(self, call_id: str, contact: CallContact | None) -> Call:
        return self._change(call_id, contact=contact)

    def _change(self, call_id: str, **changed: object) -> Call:
        if call_id not in self.calls:
            raise UnknownCall(call_id)
        call = self.calls[call_id]
        self.calls[call_id] = replace(call, version=call.version + 1, **changed)  # type: ignore[arg-type]
        return self.calls[call_id]


@dataclass
class FakeTarget:
    """A target that notes what it gets, and answers as it is told: by job, else with `answer`."""

    answer: SendOutcome | Callable[[Job], SendOutcome] = field(default_factory=lambda: Delivered("entry"))
    sent: list[Job] = field(default_factory=list)

    async def send(self, job: Job, call: Call) -> SendOutcome:
        self.sent.append(job)
        return self.answer(job) if callable(self.answer) else self.answer


def workplace(queue: Queue, book: FakeBook, clock: FakeClock) -> Workplace:
    return Workplace(queue, book, clock, chance=lambda: 0.5)


def log_of(call_id: str, target: str = "crm") -> NewJob:
    return NewJob(target, call_id, "log")


def hook(call_id: str, body: str, target: str = "hook") -> NewJob:
    return NewJob(target, call_id, "webhook", body)


def states(book: FakeBook, target: str = "crm") -> Mapping[str, str]:
    return {call.id: call.deliveries[target].state for call in book.calls.values() if target in call.deliveries}
