"""Sessions read by their tokens: one look into the database for all who ask while it is busy with the one before.

Where forty telephones ring, forty pages ask at once, and each read alone would wait for all before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from routing_engine.storage import people_table
from routing_engine.storage.database import Database
from routing_engine.storage.people_table import KeptSession


class SessionReads:
    """`of` returns what is kept now: nobody is told what was read before they asked."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked: set[str] = set()
        self._next: asyncio.Task[Mapping[str, KeptSession]] | None = None
        self._busy = asyncio.Lock()

    async def of(self, token: str) -> KeptSession | None:
        """Return the session that is kept under a token. Raises `StorageError`."""
        self._asked.add(token)
        if self._next is None:
            self._next = asyncio.create_task(self._read(), name="sessions read")
            self._next.add_done_callback(lambda done: done.cancelled() or done.exception())  # all may have gone away
        # Whoever goes away ends nobody else's read.
        return (await asyncio.shield(self._next)).get(token)

    async def _read(self) -> Mapping[str, KeptSession]:
        async with self._busy:
            asked, self._asked, self._next = self._asked, set(), None
            return await self._database.read(partial(people_table.sessions_of, tokens=asked))
