"""What an edge has to tell its hub, until the hub has it on its disk. Everything here runs within a transaction.

A row is a call as it was after a change. As long as it was not sent, the next change of the same call takes its place:
a long outage costs one row a call. The numbers grow for ever, also when this file is lost or brought back from a
backup: they begin with the clock.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, text

#: `new` was never sent, `sent` may have arrived, `aside` was refused; `taken` keeps the last number.
_LAST = text("SELECT MAX(number) FROM spool")
_UNSENT = text("SELECT number, kinds, since FROM spool WHERE call_id = :call_id AND state = 'new'")
_DELETE = text("DELETE FROM spool WHERE number = :number")
_INSERT = text(
    "INSERT INTO spool (number, call_id, kinds, call, since, state, error) "
    "VALUES (:number, :call_id, :kinds, :call, :since, 'new', '')"
)
_NEXT = text(
    "SELECT number, kinds, call FROM spool WHERE number > :after AND state IN ('new', 'sent') "
    "ORDER BY number LIMIT :most"
)
_SENT = text("UPDATE spool SET state = 'sent' WHERE number IN :numbers").bindparams(
    bindparam("numbers", expanding=True)
)
_ASIDE = text("UPDATE spool SET state = 'aside', error = :why WHERE number = :number")
_TAKEN = text("UPDATE spool SET state = 'taken', call = '', kinds = '[]' WHERE number <= :number AND state = 'sent'")
_TIDY = text("DELETE FROM spool WHERE state = 'taken' AND number < (SELECT MAX(number) FROM spool)")
_WAITING = text("SELECT COUNT(*), MIN(since) FROM spool WHERE state IN ('new', 'sent')")
_COUNT_ASIDE = text("SELECT COUNT(*) FROM spool WHERE state = 'aside'")
_FORGET = text("DELETE FROM spool WHERE call_id IN :ids AND state <> 'taken'").bindparams(
    bindparam("ids", expanding=True)
)


@dataclass(frozen=True, slots=True)
class SpooledChange:
    """A call after a change, as it was put: `call` in the form that the database keeps."""

    number: int
    kinds: tuple[str, ...]
    call: str


@dataclass(frozen=True, slots=True)
class SpoolState:
    """How much waits for the hub, since when, and how many the hub will not have."""

    waiting: int
    since: float | None
    aside: int


def put_change(connection: Connection, call_id: str, kinds: Sequence[str], call: str, now: float) -> None:
    """Put a call as it is now; `now` is the wall clock. One that was not sent yet goes with it."""
    number = max((connection.execute(_LAST).scalar() or 0) + 1, int(now * 1e6))
    every, since = [*kinds], now
    for unsent, earlier, began in connection.execute(_UNSENT, {"call_id": call_id}).all():
        every, since = [*json.loads(earlier), *every], min(since, began)
        connection.execute(_DELETE, {"number": unsent})
    once = json.dumps([*dict.fromkeys(every)])
    row = {"number": number, "call_id": call_id, "kinds": once, "call": call, "since": since}
    connection.execute(_INSERT, row)


def take_next(connection: Connection, after: int, most: int, most_bytes: int) -> list[SpooledChange]:
    """Return the changes behind a number, in order, and note that they are sent; the first whatever its size."""
    found: list[SpooledChange] = []
    size = 0
    for number, kinds, call in connection.execute(_NEXT, {"after": after, "most": most}).all():
        size += len(call)
        if found and size > most_bytes:
            break
        found.append(SpooledChange(number, tuple(json.loads(kinds)), call))
    if found:
        connection.execute(_SENT, {"numbers": [one.number for one in found]})
    return found


def note_taken(connection: Connection, number: int) -> None:
    """Let go of the changes up to a number: the hub has them."""
    connection.execute(_TAKEN, {"number": number})
    connection.execute(_TIDY)


def put_aside(connection: Connection, number: int, why: str) -> None:
    """Keep a change that the hub cannot take, with the reason, where it holds nothing up."""
    connection.execute(_ASIDE, {"number": number, "why": why})


def spool_state(connection: Connection) -> SpoolState:
    """Return how much waits."""
    waiting, since = connection.execute(_WAITING).one()
    return SpoolState(waiting, since, connection.execute(_COUNT_ASIDE).scalar() or 0)


def forget_calls(connection: Connection, ids: Sequence[str]) -> None:
    """Delete what waits of some calls."""
    if ids:
        connection.execute(_FORGET, {"ids": [*ids]})
