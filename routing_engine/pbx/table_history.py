"""Call records in a table: what `cdr_adaptive_odbc` and its kin write, and the `asteriskcdrdb` of a FreePBX.

Which columns there are differs by site: the table is asked. A FreePBX has `calldate`, `duration` and `billsec`, others
`start`, `answer` and `end`; both are read. Nothing is ever written, and the database itself is told so.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypeAlias

from routing_engine.calls.pbx_events import HistoryRow, PbxChannel
from routing_engine.pbx.call_records import EARLIER_S, LATEST, HistoryFault, began_by_id, hours_off
from routing_engine.settings.history import SqlHistory
from routing_engine.sql.drivers import QueryLimits, driver_of
from routing_engine.sql.pool import SqlPool
from routing_engine.sql.statement import SqlStatement, quoted

#: Some ten thousand calls, as of a file. The newest ones count.
MOST_ROWS = 50_000
_LIMITS = QueryLimits(connections=1, rows=MOST_ROWS, time_limit_s=30.0)
#: The table's index is on the start. So long before the gap most calls have begun that ended in it; those that took
#: longer are looked for among the long ones of so many days.
_LONG_S, _LONGEST_S = 3600, 7 * 86_400.0
#: A wall clock may be read an hour wrongly when it is put back.
_PUT_BACK_S = 3600.0
_IDS = ("uniqueid", "linkedid")
_NEEDED = ("channel", "dstchannel", "disposition", *_IDS)
_WANTED = ("src", "dst", "dcontext", "lastapp", "lastdata", "answer", "end", "duration", "billsec")
_NO_COLUMN = "add it: cdr_adaptive_odbc then fills it. cdr.conf, [general]:\nnewcdrcolumns = yes"
_Row: TypeAlias = Mapping[str, object]


class TableHistory:
    """A table of call records, read over one connection."""

    def __init__(self, settings: SqlHistory) -> None:
        self._settings, self.name = settings, settings.name
        self._zone: tzinfo = settings.timezone or UTC
        driver = driver_of(settings.kind, settings.place, settings.password, _LIMITS)
        self._pool = SqlPool(self.name, driver, _LIMITS.connections, time.monotonic)

    async def rows(self, since: float) -> Sequence[HistoryRow]:
        """Return the rows of calls that ended after `since`, oldest first. Raises `ProviderError`."""
        columns, first = await self._look()
        start = _start_of(columns)
        if first is None or not start or any(name not in columns for name in _NEEDED):
            return ()  # no call yet, or `pbx check` says what is missing
        read = [start, *(name for name in (*_NEEDED, *_WANTED) if name in columns)]
        statement, moments = self._statement(read, start, since - EARLIER_S - _PUT_BACK_S)
        found = await self._ask(statement, [self._written(one, first[start]) for one in moments])
        rows = (row for one in found if (row := self._row(one, start)) is not None and row.at >= since - EARLIER_S)
        return sorted(rows, key=lambda row: row.at)

    async def fault(self) -> HistoryFault | None:
        """Return what is wrong with the table. Raises `ProviderError`."""
        columns, first = await self._look()
        start = _start_of(columns)
        if missing := next((name for name in _NEEDED if name not in columns), ""):
            return HistoryFault(f"the table has no column '{missing}'", _NO_COLUMN)
        if not start or ("end" not in columns and "duration" not in columns):
            return HistoryFault(
                "the table does not say when calls began and ended", "add start (or calldate), duration"
            )
        if first is None:
            return None  # no call yet
        names = [start, *(name for name in (*_NEEDED, *_WANTED) if name in columns)]
        latest = [row for one in await self._ask(self._latest(names, start)) if (row := self._row(one, start))]
        if not latest:
            return HistoryFault("its rows cannot be read: they lack ids, or times", _NO_COLUMN)
        off = hours_off(latest)
        said = f"its times are {off:+g} h off those of {self._zone}"
        return HistoryFault(said, "write timezone: the zone of Asterisk's machine, or usegmtime = yes") if off else None

    async def close(self) -> None:
        """Close the connection."""
        await self._pool.close()

    # ------------------------------------------------------------------------------------- what is asked

    async def _look(self) -> tuple[Sequence[str], _Row | None]:
        """Return the table's columns, and any row of it."""
        names, rows = await self._pool.ask(self._made("SELECT * FROM ", " LIMIT 1"), ())
        return [name.lower() for name in names], _named(names, rows[0]) if rows else None

    async def _ask(self, statement: SqlStatement, values: Sequence[str | None] = ()) -> list[_Row]:
        names, rows = await self._pool.ask(statement, values)
        return [_named(names, row) for row in rows]

    def _made(self, before: str, behind: str) -> SqlStatement:
        # Names from YAML and of this file, quoted: nothing of a call is in a query's text.
        return SqlStatement((f"{before}{quoted(self._settings.kind, self._settings.table)}{behind}",), ())

    def _latest(self, names: Sequence[str], start: str) -> SqlStatement:
        kind = self._settings.kind
        listed = ", ".join(quoted(kind, name) for name in names)
        return self._made(f"SELECT {listed} FROM ", f" ORDER BY {quoted(kind, start)} DESC LIMIT {LATEST}")  # noqa: S608

    def _statement(self, names: Sequence[str], start: str, since: float) -> tuple[SqlStatement, list[float]]:
        """Return the query for what may have ended after a moment, and the moments that go with it."""
        kind = self._settings.kind
        listed, began = ", ".join(quoted(kind, name) for name in names), quoted(kind, start)
        behind = f" ORDER BY {began} DESC LIMIT {MOST_ROWS}"
        if "duration" not in names:
            ended = quoted(kind, "end")
            (before,) = self._made(f"SELECT {listed} FROM ", f" WHERE {ended} >= ").parts  # noqa: S608
            return SqlStatement((before, behind), ("ended",)), [since]
        (before,) = self._made(f"SELECT {listed} FROM ", f" WHERE {began} >= ").parts  # noqa: S608
        long = f" AND {quoted(kind, 'duration')} >= {_LONG_S}){behind}"
        statement = SqlStatement((before, f" OR ({began} >= ", long), ("began", "long"))
        return statement, [since - _LONG_S, since - _LONGEST_S]

    def _written(self, at: float, like: object) -> str:
        """Return a moment as the column has it: with a zone, or the wall clock's."""
        if isinstance(like, datetime) and like.tzinfo is not None:
            return datetime.fromtimestamp(at, UTC).isoformat()
        return f"{datetime.fromtimestamp(at, self._zone).replace(tzinfo=None):%Y-%m-%d %H:%M:%S}"

    # ------------------------------------------------------------------------------------- what comes back

    def _row(self, row: _Row, start: str) -> HistoryRow | None:
        uniqueid, linkedid = (_text(row, name) for name in _IDS)
        if not uniqueid or not linkedid:
            return None
        began = self._moment(row[start], began_by_id(uniqueid))
        duration, spoken = _seconds(row, "duration"), _seconds(row, "billsec")
        if began is None:
            return None
        ended = self._moment(row.get("end"), began) if duration is None else began + duration
        if ended is None:
            return None
        answered = self._moment(row.get("answer"), began)
        if answered is None and spoken is not None and _text(row, "disposition") == "ANSWERED":
            answered = ended - spoken
        channel = PbxChannel(
            _text(row, "channel"),
            uniqueid,
            linkedid,
            caller=_text(row, "src") or None,
            exten=_text(row, "dst") or None,
            context=_text(row, "dcontext") or None,
        )
        words = (_text(row, name) for name in ("dstchannel", "disposition", "lastapp", "lastdata"))
        called, disposition, application, data = words
        return HistoryRow(
            ended, channel, called or None, began, answered, disposition, application or None, data or None
        )

    def _moment(self, value: object, near: float | None) -> float | None:
        """Return a moment; of the two that a clock which was put back shows alike, the one `near` another."""
        found = value if isinstance(value, datetime) else _read(value)
        if found is None or found.year < 1971:  # MySQL's zero date, and an answer that never was
            return None
        if found.tzinfo is not None:
            return found.timestamp()
        both = [found.replace(tzinfo=self._zone, fold=fold).timestamp() for fold in (0, 1)]
        return both[0] if near is None else min(both, key=lambda one: abs(one - near))


def _start_of(columns: Sequence[str]) -> str:
    return next((name for name in ("calldate", "start") if name in columns), "")


def _named(names: Sequence[str], row: Sequence[object]) -> _Row:
    return {name.lower(): value for name, value in zip(names, row, strict=True)}


def _read(value: object) -> datetime | None:
    if not isinstance(value, str | bytes):
        return None
    text = value if isinstance(value, str) else value.decode("ascii", "replace")
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def _text(row: _Row, name: str) -> str:
    value = row.get(name)
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "replace")
    return "" if value is None else str(value)


def _seconds(row: _Row, name: str) -> float | None:
    try:
        return max(0.0, timedelta(seconds=float(_text(row, name))).total_seconds())
    except (ValueError, OverflowError):
        return None
