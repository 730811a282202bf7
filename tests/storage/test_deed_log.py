"""The log whose lines hang together: whatever is changed, removed, added or moved is found; a crash is no change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.storage.deed_log import DeedLog, faults_of
from tests.examples import examples

NOW = datetime(2026, 12, 1, 1, 0, tzinfo=UTC)
Edit = Callable[[list[bytes]], list[bytes]]


def log_of(folder: Path, count: int) -> DeedLog:
    log = DeedLog(folder / "audit", lambda: NOW)
    for number in range(count):
        log.add(f"anna {number}", "in force", "route support changed; Straße\n", f"{number:012x}")
    return log


def lines(log: DeedLog) -> list[bytes]:
    return log.path.read_bytes().splitlines(keepends=True)


def head(log: DeedLog) -> bytes:
    return (log.path.parent / "head").read_bytes()


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> DeedLog:
    """A log of ten lines that nobody writes."""
    return log_of(tmp_path_factory.mktemp("log"), 10)


def test_what_was_done_is_read_as_it_was_written(tmp_path: Path) -> None:
    first, second = log_of(tmp_path, 2).deeds()
    assert (first.number, first.who, first.about, first.at) == (1, "anna 0", "route support changed; Straße\n", NOW)
    assert (second.before, log_of(tmp_path, 0).faults()) == (first.hash, [])


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    log = log_of(tmp_path, 1)
    assert [path.stat().st_mode & 0o007 for path in (log.path.parent, log.path, log.path.parent / "head")] == [0, 0, 0]


@examples(300)
@given(st.data())
def test_any_other_byte_is_found(ten: DeedLog, data: st.DataObject) -> None:
    content = bytearray(ten.path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[place]))
    assert list(faults_of(bytes(content).splitlines(keepends=True), head(ten)))


@examples(300)
@given(st.data())
def test_any_line_removed_repeated_or_moved_is_found(ten: DeedLog, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, 9), max_size=12).filter(lambda found: found != [*range(10)]))
    every = lines(ten)
    assert list(faults_of([every[place] for place in places], head(ten)))


@examples(100)
@given(st.data())
def test_a_line_of_another_log_is_found(
    ten: DeedLog, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    # Written by who knows how: each line is whole in itself.
    forged = DeedLog(tmp_path_factory.mktemp("forged"), lambda: NOW)
    place = data.draw(st.integers(0, 9))
    for number in range(place + 1):
        forged.add("eve", "in force", str(number))
    every = lines(ten)
    every[place] = lines(forged)[place]
    assert list(faults_of(every, head(ten)))


EDITS: dict[str, tuple[Edit, str]] = {
    "changed": (lambda every: [*every[:2], every[2].replace(b"anna", b"eve "), *every[3:]], "line 3 has been changed"),
    "removed": (lambda every: [*every[:2], *every[4:]], "lines 3 to 4 are missing"),
    "the first": (lambda every: every[1:], "line 1 is missing, and no line says that they were forgotten"),
    "the last": (lambda every: every[:-1], "line 10 is missing at the end"),
    "all": (lambda _: [], "lines 1 to 10 are missing at the end"),
    "moved": (lambda every: [*every[:8], every[9], every[8]], "line 9 stands behind line 10: it was moved, or is"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_fault_says_what_happened(ten: DeedLog, edit: str) -> None:
    change, sentence = EDITS[edit]
    assert any(one.startswith(sentence) for one in faults_of(change(lines(ten)), head(ten)))


def test_a_line_that_a_crash_has_torn_is_no_change(tmp_path: Path) -> None:
    log = log_of(tmp_path, 2)
    with log.path.open("ab") as file:
        file.write(b'{"number":3,"at":"2026')
    log.add("anna", "in force")
    assert (log.faults(), [one.number for one in log.deeds()]) == ([], [1, 2, 3])


def test_a_crash_before_the_head_is_written_is_no_change(tmp_path: Path) -> None:
    log = log_of(tmp_path, 2)
    before = head(log)
    log.add("anna", "in force")
    (log.path.parent / "head").write_bytes(before)
    assert log.faults() == []
    assert log.add("anna", "in force").number == 4
    assert log.faults() == []


def test_lines_cut_off_are_missed_also_when_the_log_goes_on(tmp_path: Path) -> None:
    log = log_of(tmp_path, 3)
    log.path.write_bytes(b"".join(lines(log)[:1]))
    log.add("anna", "in force")
    assert log.faults() == ["lines 2 to 3 are missing"]


def test_old_lines_go_and_a_line_says_so(tmp_path: Path) -> None:
    log_of(tmp_path, 3)
    later = DeedLog(tmp_path / "audit", lambda: NOW + timedelta(days=400))
    later.add("anna", "in force")
    assert (later.forget(NOW + timedelta(days=35)), later.forget(NOW + timedelta(days=35))) == (3, 0)
    assert (later.faults(), [one.number for one in later.deeds()]) == ([], [4, 5])
    later.path.write_bytes(b"".join(lines(later)[1:]))
    assert later.faults() == ["lines 1 to 4 are missing, and no line says that they were forgotten"]


def test_a_log_without_its_head_says_so(tmp_path: Path) -> None:
    log = log_of(tmp_path, 1)
    (log.path.parent / "head").unlink()
    assert log.faults() == ["the file 'head' is missing or damaged: nobody knows whether lines are missing at the end"]
