"""The journal of a running service: complete, in no call's way, and through every failure of the disk."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from routing_engine.core.model import Destination, TrailStep
from routing_engine.journal.stored_call import StoredStep
from routing_engine.journal.writer import Journal
from routing_engine.storage.doubt import DOUBTED_S, ClockDoubt
from routing_engine.storage.place import DatabasePlace

from .calls import ANNA, AT, Log, abandoned, count, kept_call, kept_ids, opened, routed, settings, write

pytestmark = pytest.mark.io

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


# ------------------------------------------------------------------------------------------- what is kept


async def test_a_routed_call_is_kept_with_all_that_explains_it(path: Path) -> None:
    await write(path, routed())
    call = kept_call(path)
    assert (call.ended, call.route, call.revision, call.reason) == ("routed", "support", "9bc58236f2cc", "matched")
    assert (call.rule, call.source) == ("silver", "crm")
    assert (call.took_ms, call.waited_ms, call.silence_ms) == (2190.5, 83.2, 40.7)
    assert (call.caller, call.called, call.language) == ("...567", "217", "de")
    assert call.destination == Destination("queue", "vip", 10, 20)
    assert call.chain == (Destination("external", "...877"), Destination("voicemail", "217"))
    assert (call.played, call.sets) == (("greeting", "digits"), ("caller_name",))
    assert (call.record_id, call.record_fields) == ("0012345678", ("tier", "phone"))
    assert call.record_url == "https://crm.example/7?q=...567"
    assert call.trail[:2] == (
        StoredStep("instruction greeting", "played", 2100.0),
        StoredStep("source crm", "1 record", 83.2),
    )


async def test_the_moment_keeps_its_milliseconds_and_its_zone(path: Path) -> None:
    await write(path, routed())
    assert kept_call(path).at == AT
    assert kept_call(path).at.utcoffset() == timedelta(hours=1)


async def test_a_call_that_was_abandoned_is_kept_with_the_reason_why(path: Path) -> None:
    await write(path, abandoned())
    call = kept_call(path, "1795198986.9")
    assert (call.ended, call.route, call.why, call.reason) == ("abandoned", "support", "the caller hung up", "")
    assert (call.destination, call.trail) == (None, ())


async def test_a_decision_of_the_engine_is_told_from_the_routes(path: Path) -> None:
    await write(path, routed(failed=True, destination=None, record=None, reason="error"))
    call = kept_call(path)
    assert (call.ended, call.destination, call.record_id) == ("fallback", None, "")
    assert len(call.chain) == 2


async def test_health_checks_are_no_calls(path: Path) -> None:
    await write(path, routed(route="healthcheck-1", failed=True), replace(abandoned(), route="healthcheck-2"))
    assert count(path) == 0


async def test_the_same_call_id_may_come_again(path: Path) -> None:
    await write(path, routed(), routed(route="sales"))
    await write(path, routed())
    assert count(path) == 3


@pytest.mark.parametrize("at", [datetime.min, datetime(2026, 11, 18, 10, 30), datetime.max])
async def test_every_moment_can_be_kept(path: Path, at: datetime) -> None:
    await write(path, routed(at=at))
    assert kept_call(path).at.replace(tzinfo=None) == at.replace(microsecond=at.microsecond // 1000 * 1000)


async def test_a_text_without_end_is_cut(path: Path) -> None:
    await write(path, routed(trail=(TrailStep("x", "y" * 1_000_000),)))
    assert len(kept_call(path).trail[0].outcome) == 2000


# ----------------------------------------------------------------------------------------- complete, in order


@pytest.mark.io
async def test_ten_thousand_calls_are_all_there_and_in_order(path: Path) -> None:
    ids = [f"c{number}" for number in range(10_000)]
    async with opened(path) as journal:
        for call_id in ids:
            journal.record(routed(call_id=call_id))
    assert kept_ids(path)[::-1] == ids
    assert (journal.waiting, journal.lost) == (0, 0)


async def test_what_waits_is_written_when_the_journal_is_closed(path: Path) -> None:
    async with opened(path) as journal:
        journal.record(routed())
    assert count(path) == 1


async def test_another_process_reads_and_writes_meanwhile(path: Path) -> None:
    async with opened(path) as one, opened(path) as other:
        for number in range(500):
            one.record(routed(call_id=f"a{number}"))
            other.record(routed(call_id=f"b{number}"))
            if number % 100 == 0:
                await asyncio.gather(one.flush(), other.flush())
                assert len(kept_ids(path)) == 2 * number + 2
    assert len(kept_ids(path)) == 1000


async def test_other_settings_hold_from_the_next_call_on(path: Path) -> None:
    async with opened(path) as journal:
        journal.record(routed(call_id="a"))
        assert await journal.flush()
        journal.change(settings("plain"), "AT")
        journal.record(routed(call_id="b"))
    assert (kept_call(path, "a").caller, kept_call(path, "b").caller) == ("...567", "+436641234567")


# --------------------------------------------------------------------------------------------------- kill -9

RECORD_UNTIL_KILLED = """
import asyncio, sys, time
from pathlib import Path
from tests.journal.calls import opened, routed

async def main():
    async with opened(Path(sys.argv[1])) as journal:
        number = 0
        while True:
            for _ in range(20):
                journal.record(routed(call_id=f"c{number}"))
                print(number, flush=True)
                number += 1
            if sys.argv[2] == "idle":
                await asyncio.sleep(0.02)
            else:
                until = time.monotonic() + 0.02
                while time.monotonic() < until:
                    pass

asyncio.run(main())
"""


@pytest.mark.parametrize("loop", ["idle", "busy"])
@pytest.mark.io
def test_calls_are_written_while_others_come_and_kill_9_loses_only_the_last(path: Path, loop: str) -> None:
    """Nobody asks for it, and the event loop may leave nothing of its core to others."""
    standing, recorded = record_until_killed(path, loop)
    kept = [int(call_id.removeprefix("c")) for call_id in kept_ids(path)]
    assert sorted(kept) == list(range(len(kept)))
    assert standing <= len(kept) <= recorded


def record_until_killed(path: Path, loop: str) -> tuple[int, int]:
    """Let a process record calls, kill it once many stand in the file; return how many stood, and were recorded."""
    words = [sys.executable, "-c", RECORD_UNTIL_KILLED, str(path), loop]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(100)]
        while (standing := len(kept_ids(path))) < 1000:
            lines += [process.stdout.readline() for _ in range(100)]
        process.send_signal(signal.SIGKILL)
        lines += [line for line in process.stdout if line.endswith("\n")]
    return standing, len(lines)


async def test_a_journal_goes_on_after_kill_9(path: Path) -> None:
    await asyncio.to_thread(record_until_killed, path, "idle")
    before = set(kept_ids(path))
    await write(path, routed(call_id="after"))
    assert set(kept_ids(path)) == before | {"after"}


# ------------------------------------------------------------------------------------- when the disk fails


async def failing(journal: Journal, calls: int = 1) -> None:
    """Record calls, and see that the disk does not take them."""
    for number in range(calls):
        journal.record(routed(call_id=f"f{number}"))
    assert not await journal.flush()
    assert not await journal.flush()


async def test_a_folder_that_cannot_be_made_is_told_once_and_costs_no_call(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, where the folder should be")
    path = tmp_path / "state" / "journal.db"
    log = Log()
    async with opened(path, retry_s=0.01) as journal:
        await failing(journal, 5)
        (tmp_path / "state").unlink()
        assert await journal.flush()
    assert log.events == ["journal.down", "journal.up"]
    assert (log.said[0]["why"], log.said[1]["lost"]) == (f"{tmp_path}/state: Not a directory", 0)
    assert count(path) == 5


async def test_a_journal_that_comes_back_says_so_without_a_call(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    log = Log()
    async with opened(tmp_path / "state" / "journal.db", retry_s=0.01):
        (tmp_path / "state").unlink()
        await log.wait_for("journal.up")
    assert log.events == ["journal.down", "journal.up"]


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """No file of this process grows beyond the journal's present size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_is_told_once_and_loses_nothing_once_there_is_room(path: Path) -> None:
    log = Log()
    async with opened(path, retry_s=0.01) as journal:
        with full_disk(path):
            await failing(journal, 2000)
        assert await journal.flush()
        assert journal.down == ""
    assert log.events == ["journal.down", "journal.up"]
    assert len(kept_ids(path)) == 2000


async def test_what_does_not_fit_into_memory_is_counted_and_told_once(path: Path) -> None:
    log = Log()
    async with opened(path, retry_s=0.01, most_waiting=100) as journal:
        with full_disk(path), closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            for number in range(1000):
                journal.record(routed(call_id=f"c{number}"))
            assert journal.waiting <= 100 + 500  # those in the queue, and those in hand
            other.rollback()
        assert await journal.flush()
        written = count(path)
    assert journal.lost == 1000 - written > 0
    assert [one for one in log.events if one == "journal.full"] == ["journal.full"]
    assert [one["lost"] for one in log.said if one["event"] == "journal.up"] == [journal.lost]


async def test_a_file_that_is_no_database_is_told_and_a_new_one_is_made_when_it_is_moved_away(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, " * 100)
    log = Log()
    async with opened(path, retry_s=0.01) as journal:
        await failing(journal)
        path.rename(path.with_suffix(".broken"))
        assert await journal.flush()
    assert (log.said[0]["event"], log.said[0]["why"]) == ("journal.down", "file is not a database")
    assert count(path) == 1


async def test_the_database_of_another_program_is_never_touched(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE astdb (key TEXT)")
    before = path.read_bytes()
    log = Log()
    async with opened(path, retry_s=0.01) as journal:
        await failing(journal)
    assert path.read_bytes() == before
    assert "a database of something else" in str(log.said[0]["why"])


async def test_a_newer_schema_is_refused_with_what_to_do(path: Path) -> None:
    await write(path, routed())
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE about SET value = '99' WHERE name = 'schema'")
    log = Log()
    async with opened(path, retry_s=0.01) as journal:
        await failing(journal)
    assert "a newer version of the engine wrote this (schema 99, this one knows" in str(log.said[0]["why"])
    assert log.events == ["journal.down", "journal.cut"]
    assert count(path) == 1


async def test_a_journal_that_is_moved_away_is_made_anew(path: Path) -> None:
    async with opened(path) as journal:
        journal.record(routed(call_id="a"))
        assert await journal.flush()
        shutil.move(path.parent, path.parent.with_name("old"))
        journal.record(routed(call_id="b"))
        assert await journal.flush()
    assert kept_ids(path) == ["b"]


async def test_a_call_that_cannot_be_written_does_not_hold_up_the_others(path: Path) -> None:
    log = Log()
    async with opened(path) as journal:
        journal.record(routed(call_id="a"))
        journal.record(replace(routed(call_id="b"), took_ms=float("nan")))
        journal.record(routed(call_id="c", trail=(TrailStep(None, "x"),)))  # type: ignore[arg-type]
        journal.record(replace(routed(), caller=None))  # type: ignore[arg-type]
        journal.record(routed(call_id="d"))
        assert await journal.flush()
    assert kept_ids(path)[::-1] == ["a", "d"]
    assert (journal.lost, log.events) == (3, ["journal.failed"])
    assert ANNA.name not in str(log.said)


async def test_a_journal_that_was_never_opened_can_be_closed(path: Path) -> None:
    journal = Journal(DatabasePlace(path), settings())
    await journal.close()
    assert not path.exists()


async def test_nobody_but_the_engines_user_and_group_may_read_it(path: Path) -> None:
    before = os.umask(0)
    try:
        await write(path, routed())
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


# ------------------------------------------------------------------------------------------------ retention


async def test_calls_that_are_too_old_are_deleted_also_from_the_bytes(path: Path) -> None:
    old = [routed(call_id=f"old{number}", at=AT - timedelta(days=91)) for number in range(1200)]
    await write(path, *old, routed(call_id="new", at=AT - timedelta(days=89)), kept=settings(keep_days=3650))
    log = Log()
    async with opened(path, settings(keep_days=90), now=AT.timestamp) as journal:
        await log.wait_for("journal.expired")
        assert journal.down == ""
    assert kept_ids(path) == ["new"]
    assert [(one["event"], one["calls"]) for one in log.said] == [("journal.expired", 1200)]
    assert b"old1199" not in path.read_bytes()


async def test_a_clock_that_jumps_for_a_moment_empties_nothing(path: Path) -> None:
    now = [AT.timestamp()]
    async with opened(path, settings(keep_days=90), now=lambda: now[0]) as journal:
        for number in range(101):
            journal.record(routed(call_id=f"c{number}"))
        assert await journal.flush(30)
        now[0] += 2 * 365 * 86_400  # and a call that arrives just then
        journal.record(routed(call_id="then", at=AT + timedelta(days=730)))
        assert await journal.flush(30)
    async with opened(path, settings(keep_days=90), now=lambda: now[0] + 86_400 * 91) as journal:
        assert await journal.flush(30)
    assert len(kept_ids(path)) == 102


def test_a_clock_that_stays_ahead_is_believed_after_a_day() -> None:
    elapsed = [0.0]
    doubt, year = ClockDoubt(lambda: elapsed[0]), 365 * 86_400.0
    assert doubt.believes(100.0, 90.0, 50.0)
    assert not doubt.believes(year, year, 50.0)
    elapsed[0] = DOUBTED_S - 1
    assert not doubt.believes(year + elapsed[0], year, 50.0)
    elapsed[0] = DOUBTED_S
    assert doubt.believes(year + elapsed[0], year, 50.0)


def test_a_start_at_whose_word_no_call_would_be_left_waits_a_day() -> None:
    elapsed = [0.0]
    doubt = ClockDoubt(lambda: elapsed[0])
    assert not doubt.believes(1000.0, 100.0, 50.0)
    elapsed[0] = DOUBTED_S
    assert doubt.believes(1000.0 + DOUBTED_S, 100.0, 50.0)
    assert ClockDoubt(lambda: 0.0).believes(1000.0, None, 50.0), "an empty journal has nothing to lose"


async def test_the_oldest_go_when_the_file_is_too_large(path: Path) -> None:
    trail = tuple(TrailStep("x", "y" * 1900) for _ in range(10))
    limited = replace(settings(), max_mb=1)  # the reader of engine.yaml allows 10 at the least
    async with opened(path, limited, now=AT.timestamp) as journal:
        for number in range(6000):
            journal.record(routed(call_id=f"c{number}", trail=trail if number % 10 == 0 else ()))
            if number % 1000 == 999:
                assert await journal.flush(30)
    await write(path, kept=limited)
    kept = kept_ids(path)
    assert 0 < len(kept) < 6000
    assert kept[0] == "c5999"
