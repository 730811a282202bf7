"""Questions to the journal, while the service writes it and while it does not run. Nothing here changes the file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_, select

from routing_engine.core.model import Destination
from routing_engine.core.phone import Number, read_number
from routing_engine.core.redact import mask_number
from routing_engine.errors import JournalError
from routing_engine.journal.entry import clean
from routing_engine.journal.privacy import Privacy
from routing_engine.journal.tables import CALLS, open_engine, schema_of, translate_errors

#: How a masked number looks that shows nothing: it cannot be searched for.
_NOTHING = mask_number("")
_MASKED = Privacy("masked")


@dataclass(frozen=True, slots=True)
class StoredStep:
    """A step of a trail as it is kept."""

    step: str
    outcome: str
    took_ms: float | None


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A call as it is kept; see `tables.CALLS`. Every text is one line without control characters.

    `at` is its arrival, in the zone of the site. The caller waited `waited_ms` for look-ups, and heard nothing for
    `silence_ms` at the longest. `destination` is None for a call that was abandoned or went nowhere.
    """

    id: int
    call_id: str
    at: datetime
    took_ms: float
    waited_ms: float
    silence_ms: float
    ended: str
    route: str
    revision: str
    reason: str
    rule: str
    source: str
    destination: Destination | None
    chain: tuple[Destination, ...]
    played: tuple[str, ...]
    sets: tuple[str, ...]
    caller: str
    numbers: str
    called: str
    language: str
    record_id: str
    record_url: str
    record_origin: str
    record_fields: tuple[str, ...]
    why: str
    trail: tuple[StoredStep, ...]


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls: "" and None do not narrow. Moments in milliseconds since 1970, `until_ms` not included.

    `reason` may also be `abandoned`. At most `limit`, the newest first.
    """

    route: str = ""
    reason: str = ""
    rule: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    caller: Number | None = None
    limit: int = 50


@contextmanager
def open_to_read(path: Path) -> Iterator[Connection]:
    """Open a journal for reading: one moment of it, whatever is written meanwhile. Raises `JournalError`."""
    with translate_errors():
        _look_for(path)
    with translate_errors(), open_engine(path, write=False).connect() as connection:
        if schema_of(connection) is None:
            raise JournalError("there is no journal in this file yet: the service writes it ('routing-engine serve')")
        yield connection


def _look_for(path: Path) -> None:
    try:
        path.stat()
    except FileNotFoundError:
        raise JournalError("there is no journal yet: the service writes it ('routing-engine serve')") from None


def find_call(connection: Connection, call_id: str) -> list[StoredCall]:
    """Return every call with this id of Asterisk, the oldest first."""
    found = select(CALLS).where(CALLS.c.call_id == call_id).order_by(CALLS.c.at_ms, CALLS.c.id)
    return [_read(row) for row in connection.execute(found)]


def list_calls(connection: Connection, wanted: CallFilter, privacy: Privacy) -> list[StoredCall]:
    """Return the calls that fit, the newest first."""
    found: Select[Any] = select(CALLS).order_by(CALLS.c.at_ms.desc(), CALLS.c.id.desc()).limit(wanted.limit)
    return [_read(row) for row in connection.execute(found.where(*_conditions(wanted, privacy)))]


def _conditions(wanted: CallFilter, privacy: Privacy) -> Iterator[ColumnElement[bool]]:
    for column, value in ((CALLS.c.route, wanted.route), (CALLS.c.rule, wanted.rule)):
        if value:
            yield column == value
    if wanted.reason:
        yield CALLS.c.ended == "abandoned" if wanted.reason == "abandoned" else CALLS.c.reason == wanted.reason
    if wanted.since_ms is not None:
        yield CALLS.c.at_ms >= wanted.since_ms
    if wanted.until_ms is not None:
        yield CALLS.c.at_ms < wanted.until_ms
    if wanted.caller is not None:
        yield or_(surely_by(wanted.caller, privacy), perhaps_by(wanted.caller, privacy))


def surely_by(number: Number, privacy: Privacy) -> ColumnElement[bool]:
    """Return the condition for calls that are known to be of a number: kept plain, or hashed with this key."""
    plain = and_(CALLS.c.numbers == "plain", CALLS.c.caller == number.e164)
    return or_(plain, CALLS.c.token == privacy.token(number)) if privacy.key_id else plain


def perhaps_by(number: Number, privacy: Privacy) -> ColumnElement[bool]:
    """Return the condition for masked calls that may be of a number: nothing but the last three digits is there."""
    masked = mask_number(number.e164)
    key = "" if masked == _NOTHING else masked
    return and_(CALLS.c.numbers == "masked", CALLS.c.caller == key, CALLS.c.key_id != (privacy.key_id or "-"))


def _read(row: Row[Any]) -> StoredCall:
    """Read a row. Whoever wrote it: what comes out of the file is cleaned again before it reaches a terminal."""
    kept: Mapping[str, Any] = dict(row._mapping)
    here = datetime(1970, 1, 1) + timedelta(milliseconds=kept["at_ms"], seconds=kept["offset_s"])
    taken: dict[str, Any] = {
        "at": here.replace(tzinfo=timezone(timedelta(seconds=kept["offset_s"]))),
        "destination": _place(kept) if kept["kind"] else None,
        "chain": tuple(_place(one) for one in json.loads(kept["chain"])),
        "trail": tuple(StoredStep(clean(step), clean(outcome), ms) for step, outcome, ms in json.loads(kept["trail"])),
        **{name: _texts(kept[name]) for name in ("played", "sets", "record_fields")},
    }
    return StoredCall(**{one.name: taken.get(one.name, _cleaned(kept.get(one.name))) for one in fields(StoredCall)})


def _cleaned(value: Any) -> Any:
    return clean(value) if isinstance(value, str) else value


def _place(one: Mapping[str, Any]) -> Destination:
    return Destination(clean(one["kind"]), clean(one["target"]), one["priority"], one["ring_s"])


def _texts(written: str) -> tuple[str, ...]:
    return tuple(clean(one) for one in json.loads(written))


def masked(call: StoredCall, region: str) -> StoredCall:
    """Return a call with its numbers masked, also one that is kept plain."""
    if call.numbers != "plain":
        return call
    number = read_number(call.caller, region)

    def text(value: str) -> str:
        return _MASKED.text(value, number)

    def place(one: Destination) -> Destination:
        return replace(one, target=text(one.target))

    return replace(
        call,
        caller=_MASKED.shown(number),
        destination=None if call.destination is None else place(call.destination),
        chain=tuple(map(place, call.chain)),
        played=tuple(map(text, call.played)),
        trail=tuple(replace(one, step=text(one.step), outcome=text(one.outcome)) for one in call.trail),
        why=text(call.why),
        **_own(call, number, ("call_id", "called", "record_id", "record_url")),
    )


def _own(call: StoredCall, number: Number | None, names: Iterable[str]) -> dict[str, Any]:
    return {name: _MASKED.own(getattr(call, name), number) for name in names}
