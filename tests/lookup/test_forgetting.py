"""Forgetting a number in a cache that another process holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing_engine.core.model import Record
from routing_engine.lookup.cache import Cache, CacheEntry
from routing_engine.lookup.cache_file import CacheFile
from routing_engine.lookup.forgetting import forget_on_disk, leave_note, take_note, wait_until_taken

ANNA = "+436641234567"


def test_an_engine_takes_the_note_once(tmp_path: Path) -> None:
    leave_note(tmp_path, ANNA)
    assert [take_note(tmp_path), take_note(tmp_path)] == [ANNA, None]


def test_who_waits_sees_that_it_was_taken(tmp_path: Path) -> None:
    note = leave_note(tmp_path, ANNA)
    assert wait_until_taken(note, 5, sleep=lambda _: note.unlink())


def test_a_note_that_nobody_takes_does_not_stay(tmp_path: Path) -> None:
    note = leave_note(tmp_path, ANNA)
    assert not wait_until_taken(note, 0.3, sleep=lambda _: None)
    assert not note.exists()


@pytest.mark.parametrize("text", ["", "{}", "null", "12", "\0", '"' + "9" * 500])
def test_a_note_of_another_shape_is_removed_and_means_nothing(tmp_path: Path, text: str) -> None:
    note = leave_note(tmp_path, ANNA)
    note.write_text(text)
    assert take_note(tmp_path) is None
    assert not note.exists()


async def test_answers_on_disk_are_removed_by_question_and_by_content(tmp_path: Path) -> None:
    disk = CacheFile(tmp_path / "cache.db")
    cache = Cache(10, disk.changed)
    await disk.open(cache)
    cache.put(("crm", "contact", "phone", ANNA, ANNA, "caller"), CacheEntry((), 1))
    cache.put(("crm", "contact", "id", "7", "", "other"), CacheEntry((Record({"phone": "+43 664 1234567"}),), 1))
    cache.put(("crm", "contact", "id", "8", "", "other"), CacheEntry((Record({"phone": "+43 664 7654321"}),), 1))
    await disk.close()
    assert forget_on_disk(tmp_path / "cache.db", ANNA, dry_run=True) == 2
    assert forget_on_disk(tmp_path / "cache.db", ANNA, dry_run=False) == 2
    assert forget_on_disk(tmp_path / "cache.db", ANNA, dry_run=False) == 0
    assert b"6641234567" not in (tmp_path / "cache.db").read_bytes()


def test_without_a_file_there_is_nothing_to_forget(tmp_path: Path) -> None:
    assert forget_on_disk(tmp_path / "cache.db", ANNA, dry_run=False) == 0
