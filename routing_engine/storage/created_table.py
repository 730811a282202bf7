"""Records that were created for callers: who begins says so before the system is asked, so that nobody does it twice.

A row without a record was begun: the system was asked, and what came of it is not written down (yet). Rows go after a
day: by then the system itself finds its record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from sqlalchemy import Connection, text

KEPT_S = 86_400.0
_FIND = text("SELECT call_id, at, record FROM created_records WHERE what = :what")
_BEGIN = text(
    "INSERT INTO created_records (what, number, call_id, at, record) VALUES (:what, :number, :call_id, :at, '') "
    "ON CONFLICT (what) DO NOTHING"
)
# Only what is as it was seen: of two who take over one is first.
_AGAIN = text("UPDATE created_records SET call_id = :call_id, at = :at, record = '' WHERE what = :what AND at = :seen")
_DONE = text("UPDATE created_records SET record = :record, at = :at WHERE what = :what")
_GIVE_UP = text("DELETE FROM created_records WHERE what = :what AND record = ''")
_EXPIRE = text("DELETE FROM created_records WHERE at < :before")
_FORGET = text("DELETE FROM created_records WHERE number = :number")


@dataclass(frozen=True, slots=True)
class CreatedRecord:
    """A record that is there now."""

    id: str
    name: str | None = None
    url: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Creating:
    """That somebody has begun, for which call and when; `record` is None while nobody knows what came of it."""

    call_id: str
    at: float
    record: CreatedRecord | None = None


def find_creating(connection: Connection, what: str) -> Creating | None:
    """Return what is known of creating this; None where nobody has begun."""
    row = connection.execute(_FIND, {"what": what}).one_or_none()
    if row is None:
        return None
    return Creating(row.call_id, row.at, CreatedRecord(**json.loads(row.record)) if row.record else None)


def begin_creating(
    connection: Connection, what: str, number: str, call_id: str, at: float, seen: Creating | None
) -> bool:
    """Say that it is begun, anew where `seen` is what was there; False where somebody else was quicker."""
    connection.execute(_EXPIRE, {"before": at - KEPT_S})
    row = {"what": what, "number": number, "call_id": call_id, "at": at}
    if seen is not None and connection.execute(_AGAIN, {**row, "seen": seen.at}).rowcount > 0:
        return True
    return connection.execute(_BEGIN, row).rowcount > 0


def note_created(connection: Connection, what: str, record: CreatedRecord, at: float) -> None:
    """Write down what came of it."""
    said = {**asdict(record), "fields": dict(record.fields)}
    connection.execute(_DONE, {"what": what, "record": json.dumps(said), "at": at})


def give_up_creating(connection: Connection, what: str) -> None:
    """Let the next one begin: the system has refused it."""
    connection.execute(_GIVE_UP, {"what": what})


def forget_created(connection: Connection, number: str) -> None:
    """Delete what is kept of a number."""
    connection.execute(_FORGET, {"number": number})
