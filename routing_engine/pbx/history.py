"""How calls ended while nobody listened: the call records (CDR) of a PBX, as `cdr_csv` appends them to a file.

They are no log of calls (a forwarded call is four rows, a ring group one for each phone), but the only thing that is
left of a call after its end. Times must be UTC (`usegmtime`), ids must be there (`loguniqueid`, `newcdrcolumns`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from routing_engine.calls.pbx_events import HistoryRow, PbxChannel

#: What is looked at of the file's end: some ten thousand calls.
MOST_BYTES = 8 << 20
#: Rows are written when a call is over, not when the connection broke: so much earlier they are looked for.
EARLIER_S = 60.0
# The columns of cdr_csv that are always there; unique id and, at the end, Linkedid depend on cdr.conf.
_DST, _CONTEXT, _SRC = 2, 3, 1
_CHANNEL, _CALLED, _APPLICATION, _DATA, _START, _ANSWER, _END, _DISPOSITION, _UNIQUEID = 5, 6, 7, 8, 9, 10, 11, 14, 16
_WITH_IDS = 20


def read_history(file: Path, since: float) -> list[HistoryRow]:
    """Return the rows of calls that ended after `since` (seconds since 1970), oldest first. Raises `OSError`.

    Rows that cannot be read are left out: somebody may have changed the columns in the midst of the file.
    """
    rows = (_row(columns) for columns in csv.reader(io.StringIO(_end_of(file))))
    return [row for row in rows if row is not None and row.at >= since - EARLIER_S]


def fault_of(file: Path) -> str:
    """Return what is wrong with a file of call records, in a sentence; "" when it can be used. Raises `OSError`."""
    rows: Sequence[Sequence[str]] = list(csv.reader(io.StringIO(_end_of(file))))
    if not rows:
        return ""  # no call yet
    if len(rows[-1]) < _WITH_IDS:
        return "its rows have no ids: write loguniqueid=yes and newcdrcolumns=yes into cdr.conf"
    return "" if _row(rows[-1]) is not None else "its rows cannot be read"


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
