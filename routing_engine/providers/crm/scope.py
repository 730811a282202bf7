"""A call's entry as the values of a description's texts: `{call.NAME}`, `{user.NAME}`, `{contact.NAME}`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from routing_engine.calls.ports import EntryUser, LogEntry
from routing_engine.core.model import Json

_NOBODY_ANSWERED = frozenset({"missed", "abandoned", "voicemail"})


def call_scope(entry: LogEntry, more: Mapping[str, Json]) -> dict[str, Json]:
    """Return the rooms of an entry; `more` are further values of the call, such as `crm_id`. What is "" is missing."""
    contact = entry.contact
    record: dict[str, Json] = {}
    if contact is not None:
        record = _known({**contact.fields, "name": contact.name or contact.fields.get("name"), "id": contact.id})
    return {
        "call": _known({**_call(entry), **more}),
        "user": user_scope(entry.user),
        # The same twice: descriptions call it `record` where an address of a page does, too.
        "contact": record,
        "record": record,
    }


def user_scope(user: EntryUser) -> dict[str, Json]:
    """Return the room `user`."""
    return _known({"id": user.id, "name": user.name, "email": user.email, "extension": user.extension})


def _call(entry: LogEntry) -> dict[str, Json]:
    # The word that CRMs have for all of them, whatever the caller did in the end.
    missed = entry.direction == "inbound" and entry.outcome in _NOBODY_ANSWERED
    return {
        "id": entry.id,
        "kind": "missed" if missed else entry.direction,
        "direction": entry.direction,
        "outcome": entry.outcome,
        "from": entry.from_,
        "to": entry.to,
        "number": entry.to if entry.direction == "outbound" else entry.from_,
        "did": entry.did,
        "started_at": _moment(entry.started_at),
        "answered_at": _moment(entry.answered_at),
        "ended_at": _moment(entry.ended_at),
        "duration_s": entry.duration_s,
        "talk_s": entry.talk_s,
        "queue": entry.queue,
        "subject": entry.subject,
        "body": entry.body,
        "notes": entry.notes,
        "tags": list(entry.tags),
        "sentiment": entry.sentiment,
        "disposition": entry.disposition,
        "link": entry.link,
        "recording_url": entry.recording_url,
        "agent": entry.user.extension,
    }


def _moment(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)


def _known(values: Mapping[str, Json]) -> dict[str, Json]:
    # Missing, and not empty: CRMs refuse "" where a number or a word of a list belongs.
    return {name: value for name, value in values.items() if value not in (None, "", [])}
