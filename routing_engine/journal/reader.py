"""Questions to the journal, while the service writes it and while it does not run. Nothing here changes the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select

from routing_engine.core.phone import Number
from routing_engine.core.redact import mask_number
from routing_engine.errors import StorageError
from routing_engine.journal.privacy import Privacy
from routing_engine.journal.stored_call import CallFilter, StoredCall, read_row
from routing_engine.journal.tables import CALLS, open_engine, schema_of, translate_errors

#: How a masked number looks that shows nothing: it cannot be searched for.
_NOTHING = mask_number("")


@contextmanager
def open_to_read(path: Path) -> Iterator[Connection]:
    """Open a journal for reading: one moment of it, whatever is written meanwhile. Raises `StorageError`."""
    with translate_errors():
        _look_for(path)
    with translate_errors(), open_engine(path, write=False).connect() as connection:
        if schema_of(connection) is None:
            raise StorageError("there is no journal in this file yet: the service writes it ('routing-engine serve')")
        yield connection


def _look_for(path: Path) -> None:
    try:
        path.stat()
    except FileNotFoundError:
        raise StorageError("there is no journal yet: the service writes it ('routing-engine serve')") from None


def find_call(connection: Connection, call_id: str) -> list[StoredCall]:
    """Return every call with this id of Asterisk, the oldest first."""
    found = select(CALLS).where(CALLS.c.call_id == call_id).order_by(CALLS.c.at_ms, CALLS.c.id)
    return _read(connection, found)


def list_calls(connection: Connection, wanted: CallFilter, privacy: Privacy) -> list[StoredCall]:
    """Return the calls that fit, the newest first. `privacy` finds a caller whose number is not kept plain."""
    found: Select[Any] = select(CALLS).order_by(CALLS.c.at_ms.desc(), CALLS.c.id.desc()).limit(wanted.limit)
    return _read(connection, found.where(*_conditions(wanted, privacy)))


def _read(connection: Connection, found: Select[Any]) -> list[StoredCall]:
    return [read_row(dict(row)) for row in connection.execute(found).mappings()]


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
