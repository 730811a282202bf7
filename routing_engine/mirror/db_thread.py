"""A thread with a connection of its own to the index: neither SQLite's work nor a disk that hangs stops a call."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from routing_engine.mirror.index import connect

P = ParamSpec("P")
T = TypeVar("T")


class DbThread:
    """Does one thing after the other. The file is opened when it is first needed, and anew after an error."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mirror")
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    async def do(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **more: P.kwargs) -> T:
        """Return what `work(connection, ...)` gives. Raises what it raises."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: self._do(lambda connection: work(connection, *args, **more))
        )

    async def close(self) -> None:
        """Close the file, behind what is being done; a second time does nothing."""
        if not self._closed:
            self._closed = True
            await self.drop()
            self._thread.shutdown(wait=False)

    async def drop(self) -> None:
        """Close the file; the next work opens it again."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._drop)

    async def renew(self) -> None:
        """Remove a file that is broken: it is only a copy."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._renew)

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = connect(self._path)
            return work(self._connection)
        except sqlite3.Error:
            self._drop()
            raise

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _renew(self) -> None:
        self._drop()
        for ending in ("", "-wal", "-shm"):
            Path(f"{self._path}{ending}").unlink(missing_ok=True)
