"""How calls ended while nobody listened: the call records (CDR) of a PBX.

A file of `cdr_csv` is read here, a table by `table_history`.
"""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from routing_engine.calls.pbx_events import HistoryRow, PbxChannel
from routing_engine.pbx.call_records import EARLIER_S, LATEST, HistoryFault, PbxHistory, hours_off
from routing_engine.settings.history import HistoryKeys

#: What is looked at of the file's end: some ten thousand calls.
MOST_BYTES = 8 << 20
# The columns of cdr_csv that are always there; unique id and, at the end, Linkedid depend on cdr.conf.
_DST, _CONTEXT, _SRC = 2, 3, 1
_CHANNEL, _CALLED, _APPLICATION, _DATA, _START, _ANSWER, _END, _DISPOSITION, _UNIQUEID = 5, 6, 7, 8, 9, 10, 11, 14, 16
_WITH_IDS = 20
_CDR_CONF = "cdr.conf, [general]:\nnewcdrcolumns = yes\n[csv]\nusegmtime = yes\nloguniqueid = yes"


def history_of(keys: HistoryKeys | None, folder: Path) -> PbxHistory | None:
    """Return the history that a PBX has, if any; `folder` is the configuration's. Nothing is opened yet."""
    if keys is None:
        return None
    if keys.sql is None:
        return CsvHistory(folder / keys.csv)
    from routing_engine.pbx.table_history import TableHistory  # late: most have a file, or none

    return TableHistory(keys.sql)


class CsvHistory:
    """A file of `cdr_csv`. Its times must be UTC (`usegmtime`), ids must be there (`loguniqueid`, `newcdrcolumns`)."""

    def __init__(self, file: Path) -> None:
        self._file, self.name = file, str(file)

    async def rows(self, since: float) -> Sequence[HistoryRow]:
        """Return the rows of calls that ended after `since`."""
        return await asyncio.to_thread(read_history, self._file, since)

    async def fault(self) -> HistoryFault | None:
        """Return what is wrong with the file."""
        return await asyncio.to_thread(fault_of, self._file)

    async def close(self) -> None:
        """Nothing is kept open."""


def read_history(file: Path, since: float) -> list[HistoryRow]:
    """Return the rows of calls that ended after `since` (seconds since 1970), oldest first. Raises `OSError`.

    Rows that cannot be read are left out: somebody may have changed the columns in the midst of the file.
    """
    rows = (_row(columns) for columns in csv.reader(io.StringIO(_end_of(file))))
    return [row for row in rows if row is not None and row.at >= since - EARLIER_S]


def fault_of(file: Path) -> HistoryFault | None:
    """Return what is wrong with a file of call records; None when it can be used. Raises `OSError`."""
    rows: Sequence[Sequence[str]] = list(csv.reader(io.StringIO(_end_of(file))))
    if not rows:
        return None  # no call yet
    if len(rows[-1]) < _WITH_IDS:
        return HistoryFault("its rows have no ids", _CDR_CONF)
    if _row(rows[-1]) is None:
        return HistoryFault("its rows cannot be read", _CDR_CONF)
    latest = [row for columns in rows[-LATEST:] if (row := _row(columns)) is not None]
    return HistoryFault("its times are not UTC", _CDR_CONF) if hours_off(latest) else None


def _end_of(file: Path) -> str:
    with open(file, "rb") as opened:
        size = opened.seek(0, io.SEEK_END)
        opened.seek(max(0, size - MOST_BYTES))
        if size > MOST_BYTES:
            opened.readline()  # the rest of a row that begins before
        # A name in another coding must not lose the call it belongs to.
        return opened.read().decode("utf-8", "replace")


def _row(columns: Sequence[str]) -> HistoryRow | None:
    if len(columns) < _WITH_IDS:
        return None
    began, ended = _moment(columns[_START]), _moment(columns[_END])
    # The new columns stand last, whether or not `loguserfield` puts one before them.
    linkedid = columns[-2]
    if began is None or ended is None or not (columns[_UNIQUEID] and linkedid):
        return None
    channel = PbxChannel(
        columns[_CHANNEL],
        columns[_UNIQUEID],
        linkedid,
        caller=columns[_SRC] or None,
        exten=columns[_DST] or None,
        context=columns[_CONTEXT] or None,
    )
    return HistoryRow(
        ended,
        channel,
        columns[_CALLED] or None,
        began,
        _moment(columns[_ANSWER]),
        columns[_DISPOSITION],
        columns[_APPLICATION] or None,
        columns[_DATA] or None,
    )


def _moment(text: str) -> float | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
