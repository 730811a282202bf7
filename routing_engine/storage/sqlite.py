"""SQLite files of our own: one way to open them, one set of PRAGMAs, and a thread that works with one.

Everything here but `DbThread` waits for the disk and belongs into a thread. All of it raises `sqlite3.Error` or
`OSError`.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

from routing_engine.storage.files import PRIVATE_FILE, open_private

P = ParamSpec("P")
T = TypeVar("T")
#: How long another process' lock is waited for.
WAIT_S = 5.0
#: The log is cut to this at a checkpoint; a large deletion would leave it large for ever.
_LOG_BYTES = 16 << 20


def make_file(path: Path, mode: int = PRIVATE_FILE) -> None:
    """Make the file where it is missing, before SQLite would make it readable for others; its folder must be there."""
    os.close(open_private(path, mode))


def open_or_make(path: Path, tables: str, *, wait_s: float = WAIT_S, durable: bool = True) -> sqlite3.Connection:
    """Open a file with a log, made for its owner alone and with `tables` where it is missing; its folder must be there.

    `tables` are statements that change nothing where all is there already. See `connect` for the rest.
    """
    make_file(path)
    opened = connect(path, wait_s=wait_s, durable=durable)
    try:
        use_log(opened)
        opened.executescript(tables)
    except BaseException:
        opened.close()
        raise
    return opened


def connect(path: Path, *, write: bool = True, wait_s: float = WAIT_S, durable: bool = True) -> sqlite3.Connection:
    """Open a file that is there; transactions are begun by hand, threads may take turns with it.

    With `durable` a commit is on the disk when it returns; without, a power cut may take the last ones, which is right
    for copies. What is deleted is overwritten: these files hold who called. Without `write` nothing can be changed.
    """
    opened = open_only(path, "rw", wait_s) if write else _open_to_read(path, wait_s)
    try:
        opened.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        opened.execute("PRAGMA secure_delete = ON")
        opened.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    except BaseException:
        opened.close()
        raise
    return opened


def open_only(path: Path, mode: str, wait_s: float) -> sqlite3.Connection:
    """Open a file without making it or setting anything; `mode` is `rw` or `ro`. So are databases of others opened."""
    address = f"file:{quote(os.fsencode(path))}?mode={mode}"  # as bytes: a name need not be UTF-8
    return sqlite3.connect(address, timeout=wait_s, isolation_level=None, check_same_thread=False, uri=True)


def _open_to_read(path: Path, wait_s: float) -> sqlite3.Connection:
    opened = open_only(path, "ro", wait_s)
    try:
        opened.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError:
        opened.close()
        # Whoever may only read cannot make the log's files. While there is none nobody writes, and none is needed.
        if os.path.exists(f"{path}-wal"):
            raise
        opened = open_only(path, "ro&immutable=1", wait_s)
    except BaseException:
        opened.close()
        raise
    return opened


def use_log(connection: sqlite3.Connection) -> None:
    """Let others read while we write, and make a commit one write to the end of a file. The file remembers it.

    Waits for others as everything else does. Raises `sqlite3.OperationalError` where they take too long.
    """
    while not _begin_log(connection):
        # The change itself waits for nobody: it fails at once while another writes, as engines that start at once do.
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("ROLLBACK")


def _begin_log(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def empty_log(connection: sqlite3.Connection) -> bool:
    """Bring all of the log into the file and cut it to nothing: what was deleted is gone from there, too.

    Return False when another program that reads it kept us from that.
    """
    return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]


def remove(path: Path) -> None:
    """Remove a file with its log."""
    for ending in ("", "-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)


class transaction:
    """Run what follows as one transaction: all of it happens, or none."""

    def __init__(self, connection: sqlite3.Connection, write: bool = True) -> None:
        # IMMEDIATE: a transaction that becomes a writer half-way fails at once where another writes.
        self._connection, self._begin = connection, "BEGIN IMMEDIATE" if write else "BEGIN"

    def __enter__(self) -> None:
        self._connection.execute(self._begin)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._connection.execute("COMMIT")
        elif self._connection.in_transaction:  # a full disk has ended it already
            self._connection.execute("ROLLBACK")


class DbThread:
    """A thread with a connection of its own: neither SQLite's work nor a disk that hangs stops a call.

    Does one thing after the other. `open_file` is called when the file is first needed, and anew after an error.
    """

    def __init__(self, path: Path, open_file: Callable[[Path], sqlite3.Connection]) -> None:
        self._path, self._open_file = path, open_file
        # One thread: a connection is no place for two, and what is asked first is done first.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    async def do(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **more: P.kwargs) -> T:
        """Return what `work(connection, ...)` returns. Raise what it raises."""
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
        """Remove a file that is broken; only for copies, which can be made again."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._renew)

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._open_file(self._path)
            return work(self._connection)
        except sqlite3.Error:
            self._drop()  # it may be what is broken; a new one costs a millisecond
            raise

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _renew(self) -> None:
        self._drop()
        remove(self._path)
