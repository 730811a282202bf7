"""The calls in the database: one row a call, beside it who took part. Everything here runs within a transaction.

A row holds the whole call as JSON; its columns are what is searched by, and say nothing that the JSON does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Select,
    Table,
    Text,
    delete,
    select,
    text,
    tuple_,
)

from routing_engine.calls.as_json import call_from_json, stored_json
from routing_engine.calls.call import Call
from routing_engine.calls.requests import CallQuery, contact_key, cursor_of, start_ms

#: A PBX's ids come again after a restore, so the start belongs to them. Its history has whole seconds.
SAME_START_MS = 2000
METADATA = MetaData()
CALLS = Table(
    "calls",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("pbx", Text, nullable=False),
    Column("pbx_call_id", Text, nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("direction", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("outcome", Text),
    Column("merged_into", Text),
    Column("call", Text, nullable=False),
)
#: Who took part, and what Asterisk calls it: `what` is `user` (a key of users.yaml), `number` (E.164, or an extension),
#: `id` (a Linkedid, or the id of the call that asked a route) or `contact` (the record that it was linked to, once).
PARTIES = Table(
    "call_parties",
    METADATA,
    Column("what", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("started_ms", BigInteger, primary_key=True),
    Column("call_id", Text, primary_key=True),
)
# The version guards the row: what was written late, or again after an outage, overwrites nothing newer.
_SAVE = text(
    "INSERT INTO calls (id, version, pbx, pbx_call_id, started_ms, direction, state, outcome, merged_into, call) "
    "VALUES (:id, :version, :pbx, :pbx_call_id, :started_ms, :direction, :state, :outcome, :merged_into, :call) "
    "ON CONFLICT (id) DO UPDATE SET version = excluded.version, pbx = excluded.pbx, "
    "pbx_call_id = excluded.pbx_call_id, started_ms = excluded.started_ms, direction = excluded.direction, "
    "state = excluded.state, outcome = excluded.outcome, merged_into = excluded.merged_into, call = excluded.call "
    "WHERE calls.version < excluded.version"
)
_SAVE_PARTY = text(
    "INSERT INTO call_parties (what, name, started_ms, call_id) VALUES (:what, :name, :started_ms, :call_id) "
    "ON CONFLICT DO NOTHING"
)


def save_call(connection: Connection, call: Call) -> None:
    """Write a call, unless a newer version of it is there."""
    connection.execute(
        _SAVE,
        {
            "id": call.id,
            "version": call.version,
            "pbx": call.pbx,
            "pbx_call_id": call.pbx_call_id,
            "started_ms": start_ms(call),
            "direction": call.direction,
            "state": call.state,
            "outcome": call.outcome,
            "merged_into": call.merged_into,
            "call": stored_json(call),
        },
    )
    rows = [
        {"what": what, "name": name, "started_ms": start_ms(call), "call_id": call.id} for what, name in parties(call)
    ]
    if rows:
        connection.execute(_SAVE_PARTY, rows)


def parties(call: Call) -> set[tuple[str, str]]:
    """Return who took part and the ids of Asterisk, each with its kind."""
    users = {call.user, *(leg.user for leg in call.legs)}
    numbers = {call.from_, call.to, call.did, *(end for one in call.transfers for end in (one.by, one.to))}
    # A phone is `main/201`, which nobody looks for as a number.
    dialled = {number for number in numbers if number is not None and "/" not in number}
    ids = {call.pbx_call_id, *call.linkedids, call.route_call_id}
    if call.route is not None:
        ids.add(call.route.call_id)
    kinds = (("user", users - {None}), ("number", dialled), ("id", ids), ("contact", {contact_key(call.contact)}))
    return {(what, name) for what, names in kinds for name in names if name}


def load_call(connection: Connection, call_id: str) -> Call | None:
    """Return a call; None when there is none with this id."""
    found = connection.execute(select(CALLS.c.call).where(CALLS.c.id == call_id)).scalar()
    return None if found is None else call_from_json(found)


def open_calls(connection: Connection) -> list[Call]:
    """Return the calls that have not ended, the oldest first."""
    return _calls(connection, select(CALLS.c.call).where(CALLS.c.state != "ended").order_by(CALLS.c.started_ms))


def by_pbx_id(connection: Connection, call: Call) -> Call | None:
    """Return the call that a PBX knows by the same id as this one, and that began then, too; None for no such call."""
    where = (CALLS.c.pbx == call.pbx, CALLS.c.pbx_call_id == call.pbx_call_id)
    near = CALLS.c.started_ms.between(start_ms(call) - SAME_START_MS, start_ms(call) + SAME_START_MS)
    found = _calls(connection, select(CALLS.c.call).where(*where, near).order_by(CALLS.c.id).limit(1))
    return found[0] if found else None


def with_pbx_id(connection: Connection, call_id: str) -> list[Call]:
    """Return the calls that any PBX knows by this id of Asterisk, or that have this id of ours; the oldest first."""
    known = select(PARTIES.c.call_id).where(PARTIES.c.what == "id", PARTIES.c.name == call_id)
    named = CALLS.c.id.in_(known) | (CALLS.c.id == call_id)
    return _calls(connection, select(CALLS.c.call).where(named).order_by(CALLS.c.started_ms, CALLS.c.id))


def find_calls(connection: Connection, wanted: CallQuery) -> tuple[list[Call], str | None]:
    """Return the calls that fit, the newest first, and the cursor of the next page; None where this is the last.

    Raises `ValueError` for a cursor that is none. A call that another one has swallowed is in no list.
    """
    found = select(CALLS.c.call).where(*_conditions(wanted))
    order: Sequence[ColumnElement[int | str]] = (CALLS.c.started_ms, CALLS.c.id)
    for what, name in (("user", wanted.user), ("number", wanted.number), ("contact", wanted.contact)):
        if name is not None:
            # By its index, which has the order too: few of many calls are somebody's.
            party = PARTIES.alias()
            same = (party.c.call_id == CALLS.c.id) & (party.c.started_ms == CALLS.c.started_ms)
            found = found.join(party, same & (party.c.what == what) & (party.c.name == name))
            order = (party.c.started_ms, party.c.call_id)
    if (after := wanted.after) is not None:
        found = found.where(tuple_(*order) < tuple_(*after))
    calls = _calls(connection, found.order_by(*(one.desc() for one in order)).limit(wanted.limit + 1))
    more = len(calls) > wanted.limit
    return calls[: wanted.limit], cursor_of(calls[wanted.limit - 1]) if more else None


def _conditions(wanted: CallQuery) -> Iterator[ColumnElement[bool]]:
    yield CALLS.c.merged_into.is_(None)
    if wanted.since is not None:
        yield CALLS.c.started_ms >= round(wanted.since * 1000)
    if wanted.until is not None:
        yield CALLS.c.started_ms < round(wanted.until * 1000)
    for column, value in ((CALLS.c.outcome, wanted.outcome), (CALLS.c.direction, wanted.direction)):
        if value is not None:
            yield column == value


def _calls(connection: Connection, found: Select[str]) -> list[Call]:
    return [call_from_json(one) for one in connection.execute(found).scalars()]


def newest_start(connection: Connection, pbx: str | None = None) -> float | None:
    """Return when the newest call began, of one PBX or of all; None when there is none."""
    newest = select(CALLS.c.started_ms).order_by(CALLS.c.started_ms.desc()).limit(1)
    found = connection.execute(newest if pbx is None else newest.where(CALLS.c.pbx == pbx)).scalar()
    return None if found is None else found / 1000


def expire_calls(connection: Connection, before: float, most: int) -> list[str]:
    """Delete at most `most` calls that began before a moment, the oldest first; return their ids."""
    old = select(CALLS.c.id).where(CALLS.c.started_ms < round(before * 1000), CALLS.c.state == "ended")
    ids = list(connection.execute(old.order_by(CALLS.c.started_ms).limit(most)).scalars())
    delete_calls(connection, ids)
    return ids


def delete_calls(connection: Connection, ids: list[str]) -> None:
    """Delete calls with what says who took part."""
    connection.execute(delete(PARTIES).where(PARTIES.c.call_id.in_(ids)))
    connection.execute(delete(CALLS).where(CALLS.c.id.in_(ids)))
