"""A note to the engine that runs elsewhere: forget this number."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from routing_engine.storage.forget_note import leave_note, note_path, take_note, wait_until_taken

ANNA = "+436641234567"


@pytest.fixture
def note(tmp_path: Path) -> Path:
    leave_note(note_path(tmp_path), ANNA)
    return note_path(tmp_path)


def test_an_engine_takes_the_note_once(note: Path) -> None:
    assert [take_note(note), take_note(note)] == [ANNA, None]


def test_the_number_is_nobody_elses_to_read(note: Path) -> None:
    assert stat.S_IMODE(note.stat().st_mode) & 0o007 == 0


def test_who_waits_sees_that_it_was_taken(note: Path) -> None:
    assert wait_until_taken(note, 5, sleep=lambda _: note.unlink())


def test_a_note_that_nobody_takes_waits_for_the_next_start(note: Path) -> None:
    assert not wait_until_taken(note, 0.3, sleep=lambda _: None)
    assert take_note(note) == ANNA


@pytest.mark.parametrize("text", ["", "{}", "null", "12", "\0", '"' + "9" * 500])
def test_a_note_of_another_shape_is_removed_and_means_nothing(note: Path, text: str) -> None:
    note.write_text(text)
    assert take_note(note) is None
    assert not note.exists()
