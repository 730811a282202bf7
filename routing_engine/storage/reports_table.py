"""Events that other telephone systems have sent, each once. A row is on the disk before its sender is answered.

`taken` says that its call knows of it. A row stays for some time after that: the same event may come again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from routing_engine.calls.reported import ReportedEvent

_INSERT = text(
    "INSERT INTO reported_events (source, id, call, at, event, taken, call_id) "
    "VALUES (:source, :id, :call, :at, :event, 0, '') ON CONFLICT DO NOTHING"
)
_WAITING = text(
    "SELECT source, call FROM reported_events WHERE taken = 0 GROUP BY source, call ORDER BY MIN(at) LIMIT :most"
)
_OF_CALL = text(
    "SELECT id, event, taken, call_id FROM reported_events WHERE source = :source AND call = :call ORDER BY at, id"
)
# By its ids: what came while the call was worked out is not taken yet.
_TAKE = text(
    "UPDATE reported_events SET taken = 1, call_id = :call_id WHERE source = :source AND id = :id AND taken = 0"
)
_EXPIRE = text("DELETE FROM reported_events WHERE at < :before AND taken = 1")
_EVERY = text("SELECT source, id, event FROM reported_events")
_CLEAN = text("UPDATE reported_events SET event = :event WHERE source = :source AND id = :id")
_DELETE = text("DELETE FROM reported_events WHERE call_id = :call_id")


@dataclass(frozen=True, slots=True)
class ReportsOfCall:
    """What a source has told of one call: before, and now. `call_id` is ours, "" for a call that is new."""

    taken: tuple[ReportedEvent, ...]
    news: tuple[ReportedEvent, ...]
    call_id: str


def keep_event(connection: Connection, event: ReportedEvent) -> bool:
    """Keep an event; return False where its source has sent it before."""
    said = [event.type, event.at, event.direction, event.from_, event.to]
    row = {"source": event.source, "id": event.id, "call": event.call, "at": event.at, "event": json.dumps(said)}
    return connection.execute(_INSERT, row).rowcount > 0


def calls_with_news(connection: Connection, most: int) -> list[tuple[str, str]]:
    """Return source and call of events that nobody has taken, the oldest first."""
    return [(source, call) for source, call in connection.execute(_WAITING, {"most": most})]


def reports_of(connection: Connection, source: str, call: str) -> ReportsOfCall:
    """Return all that a source has told of a call."""
    taken, news, ours = list[ReportedEvent](), list[ReportedEvent](), ""
    for event_id, said, is_taken, call_id in connection.execute(_OF_CALL, {"source": source, "call": call}):
        kind, at, direction, from_, to = json.loads(said)
        event = ReportedEvent(source, event_id, call, kind, at, direction, from_, to)
        (taken if is_taken else news).append(event)
        ours = ours or call_id
    return ReportsOfCall(tuple(taken), tuple(news), ours)


def take_events(connection: Connection, events: Sequence[ReportedEvent], call_id: str) -> None:
    """Note that the call knows of these events."""
    for one in events:
        connection.execute(_TAKE, {"source": one.source, "id": one.id, "call_id": call_id})


def expire_events(connection: Connection, before: float) -> None:
    """Delete events that happened before a moment, and are taken."""
    connection.execute(_EXPIRE, {"before": before})


def forget_events(connection: Connection, call_ids: Sequence[str], clean: Callable[[str], str]) -> None:
    """Delete the events of calls that are forgotten; `clean` takes the number out of all others."""
    if call_ids:
        connection.execute(_DELETE, [{"call_id": call_id} for call_id in call_ids])
    for source, event_id, event in connection.execute(_EVERY).all():
        said = json.loads(event)
        cleaned = [clean(one) if isinstance(one, str) else one for one in said]
        if cleaned != said:
            connection.execute(_CLEAN, {"source": source, "id": event_id, "event": json.dumps(cleaned)})
