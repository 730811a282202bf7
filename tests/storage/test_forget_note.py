"""A note to the engine that runs elsewhere: forget this number."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from routing_engine.storage.forget_note import leave_note, leave_receipt, note_path, take_note, wait_for_receipt

ANNA = "+436641234567"


@pytest.fixture
def note(tmp_path: Path) -> Path:
    leave_note(note_path(tmp_path), ANNA)
    return note_path(tmp_path)


def test_an_engine_takes_the_note_once(note: Path) -> None:
    assert take_note(note) == ANNA
    leave_receipt(note, 2)
    assert take_note(note) is None


def test_a_note_whose_engine_died_over_it_is_taken_again(note: Path) -> None:
    assert [take_note(note), take_note(note)] == [ANNA, ANNA]


def test_the_number_is_nobody_elses_to_read(note: Path) -> None:
    assert stat.S_IMODE(note.stat().st_mode) & 0o007 == 0


def test_who_waits_hears_how_much_was_forgotten_by_whoever_forgot(note: Path) -> None:
    def engine(_: float) -> None:
        assert take_note(note) == ANNA
        leave_receipt(note, 3)

    assert wait_for_receipt(note, 5, sleep=engine) == 3
    assert list(note.parent.iterdir()) == []


def test_a_receipt_of_another_time_counts_for_nothing(note: Path) -> None:
    take_note(note)
    leave_receipt(note, 3)
    leave_note(note, ANNA)
    assert wait_for_receipt(note, 0.3, sleep=lambda _: None) is None


def test_a_note_that_nobody_takes_waits_for_the_next_start(note: Path) -> None:
    assert wait_for_receipt(note, 0.3, sleep=lambda _: None) is None
    assert take_note(note) == ANNA


@pytest.mark.parametrize("text", ["", "{}", "null", "12", "\0", '"' + "9" * 500])
def test_a_note_of_another_shape_is_removed_and_means_nothing(note: Path, text: str) -> None:
    note.write_text(text)
    assert take_note(note) is None
    assert not note.exists()
