"""Call records of a table: FreePBX's layout and the plain one, whatever zone its times are in."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from routing_engine.errors import ProviderRefused
from routing_engine.pbx.table_history import TableHistory
from routing_engine.settings.history import SqlHistory

pytestmark = pytest.mark.io

FREEPBX = (
    "calldate TEXT, clid TEXT, src TEXT, dst TEXT, dcontext TEXT, channel TEXT, dstchannel TEXT, lastapp TEXT,"
    " lastdata TEXT, duration INT, billsec INT, disposition TEXT, uniqueid TEXT, did TEXT, linkedid TEXT, sequence INT"
)
PLAIN = (
    "src TEXT, dst TEXT, dcontext TEXT, channel TEXT, dstchannel TEXT, lastapp TEXT, lastdata TEXT, start TEXT,"
    ' answer TEXT, "end" TEXT, disposition TEXT, uniqueid TEXT, linkedid TEXT'
)
BEGAN = 1796063251  # 2026-11-30 18:27:31 in UTC
VIENNA = ZoneInfo("Europe/Vienna")


def table(folder: Path, columns: str = FREEPBX, zone: ZoneInfo | None = None, name: str = "cdr") -> TableHistory:
    file = folder / "cdr.db"
    with sqlite3.connect(file) as opened:
        opened.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns})")
    opened.close()
    return TableHistory(SqlHistory("sqlite", file, "", name, zone, ""))


def write(folder: Path, calldate: str, uniqueid: str = f"{BEGAN}.1", duration: int = 10, **changed: object) -> None:
    row = {
        "calldate": calldate,
        "src": "+436641112223",
        "dst": "201",
        "dcontext": "from-trunk",
        "channel": "PJSIP/trunk-00000001",
        "dstchannel": "PJSIP/201-00000002",
        "lastapp": "Dial",
        "duration": duration,
        "billsec": 8,
        "disposition": "ANSWERED",
        "uniqueid": uniqueid,
        "linkedid": uniqueid,
        **changed,
    }
    with sqlite3.connect(folder / "cdr.db") as opened:
        marks = ", ".join("?" * len(row))
        names = ", ".join(f'"{name}"' for name in row)
        opened.execute(f"INSERT INTO cdr ({names}) VALUES ({marks})", [*row.values()])
    opened.close()


async def test_a_row_of_a_freepbx_says_its_moments_by_its_durations(tmp_path: Path) -> None:
    history = table(tmp_path, zone=VIENNA)
    write(tmp_path, "2026-11-30 19:27:31")
    (row,) = await history.rows(BEGAN)
    assert (row.began_at, row.answered_at, row.at) == (BEGAN, BEGAN + 2, BEGAN + 10)
    assert (row.channel.caller, row.channel.exten, row.called_name) == ("+436641112223", "201", "PJSIP/201-00000002")
    assert (row.disposition, row.application) == ("ANSWERED", "Dial")
    await history.close()


async def test_a_plain_table_says_its_moments_itself(tmp_path: Path) -> None:
    history = table(tmp_path, PLAIN)
    with sqlite3.connect(tmp_path / "cdr.db") as opened:
        moments = ("2026-11-30 18:27:31", "", "2026-11-30 18:27:41")
        channels = ("PJSIP/trunk-1", "PJSIP/201-2", "Dial", "")
        opened.execute(
            f"INSERT INTO cdr VALUES ('1', '2', 'c', {', '.join('?' * 7)}, 'NO ANSWER', '{BEGAN}.1', '{BEGAN}.1')",
            [*channels, *moments],
        )
    opened.close()
    (row,) = await history.rows(BEGAN)
    assert (row.began_at, row.answered_at, row.at, row.disposition) == (BEGAN, None, BEGAN + 10, "NO ANSWER")
    assert await history.rows(BEGAN + 10 + 61) == []
    await history.close()


async def test_the_hour_that_comes_twice_is_told_apart_by_the_channels_ids(tmp_path: Path) -> None:
    history = table(tmp_path, zone=VIENNA)
    first, second = 1792888200, 1792888200 + 3600  # 2026-10-25 02:30 in Vienna, in summer and in winter
    for began in (first, second):
        write(tmp_path, "2026-10-25 02:30:00", f"{began}.7")
    assert [row.began_at for row in await history.rows(first)] == [first, second]
    await history.close()


async def test_a_call_that_began_hours_before_the_gap_is_there(tmp_path: Path) -> None:
    history = table(tmp_path)
    write(tmp_path, "2026-11-30 18:27:31", duration=30_000, billsec=29_000)
    assert [row.at for row in await history.rows(BEGAN + 29_000)] == [BEGAN + 30_000]
    await history.close()


async def test_what_ended_long_before_or_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    history = table(tmp_path)
    write(tmp_path, "2026-11-30 17:27:31", f"{BEGAN - 3600}.1")
    write(tmp_path, "yesterday")
    write(tmp_path, "2026-11-30 18:27:31", "")
    write(tmp_path, "2026-11-30 18:27:31")
    assert [row.at for row in await history.rows(BEGAN)] == [BEGAN + 10]
    await history.close()


async def test_an_empty_table_is_well(tmp_path: Path) -> None:
    history = table(tmp_path)
    assert (await history.rows(BEGAN), await history.fault()) == ((), None)
    await history.close()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (FREEPBX.replace("linkedid TEXT, ", ""), "the table has no column 'linkedid'"),
        (FREEPBX.replace("duration INT, ", ""), "the table does not say when calls began and ended"),
    ],
)
async def test_a_column_that_is_missing_is_named(tmp_path: Path, columns: str, said: str) -> None:
    history = table(tmp_path, columns)
    fault = await history.fault()
    assert fault is not None
    assert (fault.sentence, await history.rows(0)) == (said, ())
    await history.close()


async def test_times_of_another_zone_are_told_by_how_much(tmp_path: Path) -> None:
    history = table(tmp_path)
    write(tmp_path, "2026-11-30 19:27:31")
    fault = await history.fault()
    assert fault is not None
    assert fault.sentence == "its times are +1 h off those of UTC"
    await history.close()


async def test_a_table_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    history = TableHistory(SqlHistory("sqlite", tmp_path / "cdr.db", "", "cdrs", None, ""))
    table(tmp_path)
    with pytest.raises(ProviderRefused, match="there is no such table: 'cdrs'"):
        await history.rows(BEGAN)
    await history.close()
