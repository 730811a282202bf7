"""The cache over a restart: what was kept is there again, what was dropped is gone, and a bad file costs nothing."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from routing_engine.core.model import Record
from routing_engine.lookup.cache import Cache, CacheEntry, Key
from routing_engine.lookup.cache_file import CacheFile, forget_on_disk

pytestmark = pytest.mark.io

KEY: Key = ("crm@p", "contact", "phone", "+436641234567", "+436641234567", "caller")
ANNA = Record({"name": "Anna", "tags": ("a", "b"), "vip": True, "balance": 1.5, "none": None}, "7", "https://crm/7")


async def opened(path: Path, entries: int = 100) -> tuple[CacheFile, Cache]:
    disk = CacheFile(path)
    cache = Cache(entries, disk.changed)
    await disk.open(cache)
    return disk, cache


async def test_answers_are_there_after_a_restart_as_they_were(tmp_path: Path) -> None:
    disk, cache = await opened(tmp_path / "deep" / "cache.db")
    cache.put(KEY, CacheEntry((ANNA,), 1000.5, 2))
    await disk.close()
    again, cache = await opened(tmp_path / "deep" / "cache.db")
    assert list(cache) == [(KEY, CacheEntry((ANNA,), 1000.5, 2))]
    await again.close()


async def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    disk, cache = await opened(tmp_path / "cache.db")
    cache.put(KEY, CacheEntry((ANNA,), 1))
    await disk.close()
    assert stat.S_IMODE((tmp_path / "cache.db").stat().st_mode) == 0o600


async def test_what_was_forgotten_is_gone_from_the_bytes_of_the_file(tmp_path: Path) -> None:
    disk, cache = await opened(tmp_path / "cache.db")
    cache.put(KEY, CacheEntry((ANNA,), 1))
    await disk.flush()
    cache.forget("+436641234567")
    await disk.close()
    for file in tmp_path.iterdir():
        assert b"436641234567" not in file.read_bytes(), file


async def test_more_than_there_is_room_for_keeps_the_newest(tmp_path: Path) -> None:
    disk, cache = await opened(tmp_path / "cache.db")
    for number in range(10):
        cache.put((str(number), "", "", "", "", ""), CacheEntry((), number))
    await disk.close()
    again, cache = await opened(tmp_path / "cache.db", entries=3)
    assert [key[0] for key, _ in cache] == ["7", "8", "9"]
    await again.close()


async def test_a_file_that_is_no_cache_is_said_and_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "cache.db").write_bytes(b"no database" * 1000)
    with capture_logs() as logs:
        disk, cache = await opened(tmp_path / "cache.db")
        cache.put(KEY, CacheEntry((ANNA,), 1))
        await disk.flush()
        cache.put(KEY, CacheEntry((ANNA,), 2))
        await disk.close()
    assert [one["event"] for one in logs] == ["cache.unwritable"]
    assert cache.get(KEY) == CacheEntry((ANNA,), 2)


async def test_answers_on_disk_are_forgotten_by_question_and_by_content(tmp_path: Path) -> None:
    disk, cache = await opened(tmp_path / "cache.db")
    number = "+436641234567"
    cache.put(("crm", "contact", "phone", number, number, "caller"), CacheEntry((), 1))
    cache.put(("crm", "contact", "id", "7", "", "other"), CacheEntry((Record({"phone": "+43 664 1234567"}),), 1))
    cache.put(("crm", "contact", "id", "8", "", "other"), CacheEntry((Record({"phone": "+43 664 7654321"}),), 1))
    await disk.close()
    counts = [forget_on_disk(tmp_path / "cache.db", number, dry_run) for dry_run in (True, False, False)]
    assert counts == [2, 2, 0]
    assert b"6641234567" not in (tmp_path / "cache.db").read_bytes()


def test_without_a_file_there_is_nothing_to_forget(tmp_path: Path) -> None:
    assert forget_on_disk(tmp_path / "cache.db", "+436641234567", dry_run=False) == 0
