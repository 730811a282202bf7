"""Questions to the journal, while the service writes it and while it does not run. Nothing here changes the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select

from routing_engine.core.phone import Number
from routing_engine.core.redact import mask_number
from routing_engine.journal.privacy import Privacy
from routing_engine.journal.stored_call import CallFilter, StoredCall, read_row
from routing_engine.journal.tables import DECISIONS
from routing_engine.storage.connector import Connector
from routing_engine.storage.place import DatabasePlace

#: How a masked number looks that shows nothing: it cannot be searched for.
_NOTHING = mask_number("")


@contextmanager
def open_to_read(place: DatabasePlace) -> Iterator[Connection]:
    """Open a journal for reading: one moment of it, whatever is written meanwhile. Raises `StorageError`."""
    connector = Connector(place, write=False)
    try:
        with connector.transaction() as connection:
            yield connection
    finally:
        connector.close()


def find_call(connection: Connection, call_id: str) -> list[StoredCall]:
    """Return every call with this id of Asterisk, the oldest first."""
    found = select(DECISIONS).where(DECISIONS.c.call_id == call_id).order_by(DECISIONS.c.at_ms, DECISIONS.c.id)
    return _read(connection, found)


def list_calls(connection: Connection, wanted: CallFilter, privacy: Privacy) -> list[StoredCall]:
    """Return the calls that fit, the newest first. `privacy` finds a caller whose number is not kept plain."""
    found: Select[Any] = select(DECISIONS).order_by(DECISIONS.c.at_ms.desc(), DECISIONS.c.id.desc()).limit(wanted.limit)
    return _read(connection, found.where(*_conditions(wanted, privacy)))


def _read(connection: Connection, found: Select[Any]) -> list[StoredCall]:
    return [read_row(dict(row)) for row in connection.execute(found).mappings()]


def _conditions(wanted: CallFilter, privacy: Privacy) -> Iterator[ColumnElement[bool]]:
    for column, value in ((DECISIONS.c.route, wanted.route), (DECISIONS.c.rule, wanted.rule)):
        if value:
            yield column == value
    if wanted.reason:
        yield DECISIONS.c.ended == "abandoned" if wanted.reason == "abandoned" else DECISIONS.c.reason == wanted.reason
    if wanted.since_ms is not None:
        yield DECISIONS.c.at_ms >= wanted.since_ms
    if wanted.until_ms is not None:
        yield DECISIONS.c.at_ms < wanted.until_ms
    if wanted.caller is not None:
        yield or_(surely_by(wanted.caller, privacy), perhaps_by(wanted.caller, privacy))


def surely_by(number: Number, privacy: Privacy) -> ColumnElement[bool]:
    """Return the condition for calls that are known to be of a number: kept plain, or hashed with this key."""
    plain = and_(DECISIONS.c.numbers == "plain", DECISIONS.c.caller == number.e164)
    return or_(plain, DECISIONS.c.token == privacy.token(number)) if privacy.key_id else plain


def perhaps_by(number: Number, privacy: Privacy) -> ColumnElement[bool]:
    """Return the condition for masked calls that may be of a number: nothing but the last three digits is there."""
    masked = mask_number(number.e164)
    key = "" if masked == _NOTHING else masked
    return and_(
        DECISIONS.c.numbers == "masked", DECISIONS.c.caller == key, DECISIONS.c.key_id != (privacy.key_id or "-")
    )
