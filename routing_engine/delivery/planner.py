"""What a change of a call needs: which jobs for which targets, and what the call says of them at once.

`needed` decides, from values alone. `DeliveryPlanner` is what the book of calls asks while it saves a call: the jobs
are put in that same transaction, so that a kill between the two loses nothing and makes nothing twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from routing_engine.calls.call import Call, CallDelivery
from routing_engine.calls.changes import ChangeKind
from routing_engine.delivery.jobs import JobKind, NewJob, Queue, pbx_target
from routing_engine.delivery.webhook import webhook_body

if TYPE_CHECKING:  # late: SQLAlchemy
    from sqlalchemy import Connection

#: What of a call changes its entry in a CRM.
_CHANGES_ENTRY = frozenset({"call.ended", "call.updated", "call.transferred"})
#: When an entry is made at the start: not before it rings at somebody, as until then a route may still ask the CRM.
_BEGINS = frozenset({"call.ringing", "call.answered"})
_NOT_WANTED = "such calls are not written there"


class LogWishes(Protocol):
    """Which calls an integration wants to have: the section `log` of its file."""

    @property
    def recording(self) -> str:
        """`attach`, `link` or `none`."""

    def wants(self, direction: str, outcome: str | None) -> bool:
        """Return whether an ended call of this kind is written."""

    def wants_any(self, direction: str) -> bool:
        """Return whether a call is written whatever comes of it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Who wants what: webhooks by the events they name, integrations by their section `log`.

    `recorded` are the PBXs whose recordings can be fetched, `at_start` the integrations whose entries are made when a
    call begins.
    """

    webhooks: Mapping[str, Collection[ChangeKind]] = field(default_factory=dict)
    logs: Mapping[str, LogWishes] = field(default_factory=dict)
    recorded: Collection[str] = ()
    at_start: Collection[str] = ()


@dataclass(slots=True)
class Needed:
    """The jobs, and how far each target is with them."""

    jobs: list[NewJob] = field(default_factory=list)
    deliveries: dict[str, CallDelivery] = field(default_factory=dict)


def needed(call: Call, kinds: Sequence[ChangeKind], wanted: Wanted, now: float) -> Needed:
    """Return what a change of a call needs. `kinds` is what happened, in order."""
    found = Needed()
    for name, events in wanted.webhooks.items():
        jobs = [NewJob(name, call.id, "webhook", webhook_body(kind, call, now)) for kind in kinds if kind in events]
        _add(found, call, name, jobs, now)
    if call.state != "ended" and call.merged_into is None and not _BEGINS.isdisjoint(kinds):
        _begin(found, call, wanted, now)
    # A call that has become part of another one is no entry of its own, and the other one has its recording.
    if call.state == "ended" and call.merged_into is None:
        for name, wishes in wanted.logs.items():
            _log(found, call, kinds, name, wishes, now)
        if "call.ended" in kinds and call.recording.state == "pending" and call.pbx in wanted.recorded:
            found.jobs.append(NewJob(pbx_target(call.pbx), call.id, "recording"))
    return found


def _begin(found: Needed, call: Call, wanted: Wanted, now: float) -> None:
    """Let entries be made while the call goes on, where that is how the system has it and the call will be wanted."""
    for name in wanted.at_start:
        wishes = wanted.logs.get(name)
        if wishes is not None and name not in call.deliveries and wishes.wants_any(call.direction):
            _add(found, call, name, [NewJob(name, call.id, "log")], now)


def _log(found: Needed, call: Call, kinds: Sequence[ChangeKind], name: str, wishes: LogWishes, now: float) -> None:
    known = call.deliveries.get(name)
    if not wishes.wants(call.direction, call.outcome):
        if known is None:
            found.deliveries[name] = CallDelivery("skipped", error=_NOT_WANTED)
        return
    if not _CHANGES_ENTRY.isdisjoint(kinds):
        kind: JobKind = "update" if known is not None and known.id is not None else "log"
        _add(found, call, name, [NewJob(name, call.id, kind)], now)
    if "recording.ready" in kinds and wishes.recording != "none":
        found.jobs.append(NewJob(name, call.id, "recording"))


def _add(found: Needed, call: Call, name: str, jobs: Sequence[NewJob], now: float) -> None:
    if not jobs:
        return
    found.jobs += jobs
    known = call.deliveries.get(name)
    # One that waits already knows better when it is tried again, and why it had to.
    if known is None or known.state != "waiting":
        waiting = CallDelivery("waiting", next_try_at=now)
        there = known or waiting
        found.deliveries[name] = replace(waiting, id=there.id, url=there.url, record=there.record)


class DeliveryPlanner:
    """Puts what a change needs. `wanted` is replaced whole by a reload; `touched` are the lanes where something is new.

    `plan` runs in the database's thread, perhaps a second time after a rollback.
    """

    def __init__(self, queue: Queue, now: Callable[[], float]) -> None:
        self._queue, self._now = queue, now
        self.wanted = Wanted()
        # A deque, because its two ends are safe in two threads without a lock.
        self._touched: deque[str] = deque()

    def plan(self, connection: Connection, call: Call, kinds: Sequence[ChangeKind]) -> Mapping[str, CallDelivery]:
        """Put the jobs within the transaction that saves the call; return what the call says of them."""
        now = self._now()
        found = needed(call, kinds, self.wanted, now)
        if found.jobs:
            self._queue.put(connection, found.jobs, now)
            self._touched.extend(job.lane for job in found.jobs)
        return found.deliveries

    def touched(self) -> set[str]:
        """Return the lanes that have got something since the last time."""
        return {self._touched.popleft() for _ in range(len(self._touched))}
