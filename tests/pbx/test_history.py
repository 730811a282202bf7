"""Call records of a file: what they say of calls that ended while nobody listened."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing_engine.pbx.history import fault_of, read_history
from tests.calls.recorded import NAMES, STREAMS

ROW = (
    '"","+436641112223","201","office","","PJSIP/trunk-00000001","PJSIP/201-00000002","Dial","PJSIP/201",'
    '"2026-11-30 18:27:31","2026-11-30 18:27:33","2026-11-30 18:27:41",10,8,"ANSWERED","DOCUMENTATION",'
    '"1796063251.1","","1796063251.1",7\n'
)
ENDED = 1796063261.0


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "Master.csv"
    file.write_text(text)
    return file


def test_a_row_says_both_channels_and_its_moments_in_utc(tmp_path: Path) -> None:
    (row,) = read_history(written(tmp_path, ROW), ENDED - 30)
    assert (row.at, row.began_at, row.answered_at) == (ENDED, ENDED - 10, ENDED - 8)
    assert (row.channel.name, row.called_name) == ("PJSIP/trunk-00000001", "PJSIP/201-00000002")
    assert (row.channel.linkedid, row.disposition, row.application) == ("1796063251.1", "ANSWERED", "Dial")


def test_a_row_without_an_answer_has_no_moment_of_it(tmp_path: Path) -> None:
    text = ROW.replace('"2026-11-30 18:27:33"', '""').replace("ANSWERED", "NO ANSWER")
    (row,) = read_history(written(tmp_path, text), 0)
    assert (row.answered_at, row.disposition) == (None, "NO ANSWER")


def test_what_ended_long_before_is_left_out(tmp_path: Path) -> None:
    file = written(tmp_path, ROW)
    assert read_history(file, ENDED + 59) != []
    assert read_history(file, ENDED + 61) == []


def test_a_row_that_cannot_be_read_loses_no_other(tmp_path: Path) -> None:
    broken = ROW.replace("2026-11-30 18:27:31", "yesterday")
    assert len(read_history(written(tmp_path, f"some words\n{broken}\n{ROW}"), 0)) == 1


def test_the_fields_of_users_may_stand_between(tmp_path: Path) -> None:
    text = ROW.replace('"1796063251.1","","1796063251.1",7', '"1796063251.1","of the user","","1796063251.1",7')
    assert read_history(written(tmp_path, text), 0)[0].channel.linkedid == "1796063251.1"


def test_only_the_end_of_a_long_file_is_read(tmp_path: Path) -> None:
    # Few rows, and wide ones: what counts is the size.
    old = ROW.replace("18:27", "17:27").replace('"DOCUMENTATION"', f'"{"x" * 4000}"')
    file = written(tmp_path, old * ((9 << 20) // len(old)) + ROW)
    assert read_history(file, ENDED)[-1].at == ENDED


@pytest.mark.parametrize("name", NAMES)
def test_every_row_of_a_real_asterisk_can_be_read(name: str) -> None:
    file = STREAMS / f"{name}.csv"
    assert len(read_history(file, 0)) == len(file.read_text().splitlines())


def test_rows_without_ids_are_told_with_what_to_write(tmp_path: Path) -> None:
    short = ",".join(ROW.split(",")[:16]) + "\n"
    fault = fault_of(written(tmp_path, short))
    assert fault is not None
    assert "loguniqueid = yes" in fault.remedy
    assert fault_of(written(tmp_path, ROW)) is None
    assert fault_of(written(tmp_path, "")) is None


def test_times_of_another_zone_are_told(tmp_path: Path) -> None:
    vienna = ROW.replace("2026-11-30 18:", "2026-11-30 19:")
    assert fault_of(written(tmp_path, ROW + vienna)) is None, "a channel's second row begins later"
    fault = fault_of(written(tmp_path, vienna))
    assert fault is not None
    assert fault.sentence == "its times are not UTC"
