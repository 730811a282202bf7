"""What an edge has to tell its hub, in its database: put with the call that it is about, gone when the hub has it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from sqlalchemy import Connection

from routing_engine.calls.as_json import stored_json
from routing_engine.calls.call import Call, CallDelivery
from routing_engine.calls.changes import ChangeKind
from routing_engine.edges.messages import MOST_CHANGES, MOST_CHANGES_BYTES, NotTaken
from routing_engine.storage import spool_table
from routing_engine.storage.database import Database
from routing_engine.storage.spool_table import SpooledChange, SpoolState


class Spool:
    """`plan` is what the book of calls asks while it saves a call; the others are the line's. `now` is the clock."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database, self._now = database, now

    def plan(self, connection: Connection, call: Call, kinds: Sequence[ChangeKind]) -> Mapping[str, CallDelivery]:
        """Put a change in the transaction that saves the call, so that a kill between the two loses nothing."""
        spool_table.put_change(connection, call.id, kinds, stored_json(call), self._now())
        return {}

    async def next(self, after: int) -> Sequence[SpooledChange]:
        """Return what comes behind a number, as much as a message takes. Raises `StorageError`."""
        take = partial(spool_table.take_next, after=after, most=MOST_CHANGES, most_bytes=MOST_CHANGES_BYTES)
        return await self._database.write(take)

    def taken(self, number: int, but: Sequence[NotTaken]) -> None:
        """Let go of what the hub has; keep aside what it cannot take."""
        self._database.put(partial(_taken, number=number, but=but))

    async def state(self) -> SpoolState:
        """Return how much waits. Raises `StorageError`."""
        return await self._database.read(spool_table.spool_state)


def _taken(connection: Connection, number: int, but: Sequence[NotTaken]) -> None:
    for one in but:
        spool_table.put_aside(connection, one.number, one.why)
    spool_table.note_taken(connection, number)
