"""Remove a number from the calls: those of the number go whole, others that mention it stay without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from sqlalchemy import Connection, delete, select, tuple_

from routing_engine.calls.as_json import call_from_json, call_with_texts
from routing_engine.calls.call import Call
from routing_engine.storage.calls_table import CALLS, PARTIES, delete_calls, save_call
from routing_engine.storage.connector import Connector
from routing_engine.storage.created_table import forget_created
from routing_engine.storage.place import DatabasePlace
from routing_engine.storage.repeats_table import forget_answers
from routing_engine.storage.reports_table import forget_events
from routing_engine.storage.shrink import FORGET_WAIT_S, shrink

#: So many calls are looked through at a time, to keep the memory small.
_STEP = 500
#: Deletes what else is kept of calls, by their ids.
Drop: TypeAlias = Callable[[Connection, Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class ForgottenRecords:
    """How many calls were of the number, how many of others mentioned it; `notes` say what is not done."""

    deleted: int = 0
    cleaned: int = 0
    notes: tuple[str, ...] = ()


def forget_calls(
    place: DatabasePlace, number: str, clean: Callable[[str], str], drop: Drop, dry_run: bool
) -> ForgottenRecords:
    """Remove a number (E.164); `clean` takes it out of a text. Count only with `dry_run`. Raises `StorageError`."""
    connector = Connector(place, write=not dry_run, wait_s=FORGET_WAIT_S)
    try:
        with connector.transaction() as connection:
            theirs, mentions = _look_through(connection, number, clean)
            if not dry_run:
                # What waits to be sent of these calls holds the number, too.
                drop(connection, [*theirs, *(call.id for call in mentions)])
                _remove(connection, theirs, mentions, number)
                forget_events(connection, theirs, clean)
    finally:
        connector.close()
    notes = tuple(shrink(place)) if (theirs or mentions) and not dry_run else ()
    return ForgottenRecords(len(theirs), len(mentions), notes)


def _look_through(connection: Connection, number: str, clean: Callable[[str], str]) -> tuple[list[str], list[Call]]:
    """Return the ids of the calls of a number, and the calls of others as they are without it."""
    theirs: list[str] = []
    mentions: list[Call] = []
    for call in _all(connection):
        if number in (call.from_, call.to):
            theirs.append(call.id)
        elif (cleaned := call_with_texts(call, clean)) != call:
            mentions.append(replace(cleaned, version=call.version + 1))
    return theirs, mentions


def _all(connection: Connection) -> Iterator[Call]:
    after: tuple[int, str] = (-(1 << 62), "")
    while True:
        some = select(CALLS.c.started_ms, CALLS.c.id, CALLS.c.call)
        some = some.where(tuple_(CALLS.c.started_ms, CALLS.c.id) > tuple_(*after))
        rows = connection.execute(some.order_by(CALLS.c.started_ms, CALLS.c.id).limit(_STEP)).all()
        for started_ms, call_id, call in rows:
            after = started_ms, call_id
            yield call_from_json(call)
        if len(rows) < _STEP:
            return


def _remove(connection: Connection, theirs: list[str], mentions: list[Call], number: str) -> None:
    for first in range(0, len(theirs), _STEP):
        delete_calls(connection, theirs[first : first + _STEP])
    for call in mentions:
        save_call(connection, call)
    connection.execute(delete(PARTIES).where(PARTIES.c.what == "number", PARTIES.c.name == number))
    forget_created(connection, number)
    forget_answers(connection)
