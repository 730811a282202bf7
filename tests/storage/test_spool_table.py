"""What an edge has to tell its hub: in order, each once, and nothing of it lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from routing_engine.storage import spool_table
from routing_engine.storage.connector import Connector
from routing_engine.storage.place import DatabasePlace

pytestmark = pytest.mark.io
NOW = 1_800_000_000.0


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Connection]:
    connector = Connector(DatabasePlace(tmp_path / "calls.db"))
    with connector.transaction() as connection:
        yield connection
    connector.close()


def put(spool: Connection, call_id: str, *kinds: str, now: float = NOW) -> None:
    spool_table.put_change(spool, call_id, kinds, f"{call_id} after {kinds[-1]}", now)


def sent(spool: Connection, after: int = 0, most: int = 50, most_bytes: int = 10_000) -> list[tuple[str, ...]]:
    return [(one.call, *one.kinds) for one in spool_table.take_next(spool, after, most, most_bytes)]


def last(spool: Connection) -> int:
    return spool_table.take_next(spool, 0, 50, 10_000)[-1].number


def test_changes_come_in_their_order_and_again_until_they_are_taken(spool: Connection) -> None:
    put(spool, "a", "started")
    put(spool, "b", "started")
    assert sent(spool) == sent(spool) == [("a after started", "started"), ("b after started", "started")]
    spool_table.note_taken(spool, last(spool))
    assert sent(spool) == []
    assert spool_table.spool_state(spool) == spool_table.SpoolState(0, None, 0)


def test_a_change_that_was_not_sent_goes_with_the_next_of_its_call(spool: Connection) -> None:
    put(spool, "a", "started")
    put(spool, "b", "started", now=NOW + 1)
    put(spool, "a", "ringing", "started", now=NOW + 2)
    assert spool_table.spool_state(spool) == spool_table.SpoolState(2, NOW, 0)
    assert sent(spool) == [("b after started", "started"), ("a after started", "started", "ringing")]


def test_a_change_that_was_sent_stays_as_it_was(spool: Connection) -> None:
    put(spool, "a", "started")
    sent(spool)
    put(spool, "a", "ringing")
    assert sent(spool) == [("a after started", "started"), ("a after ringing", "ringing")]


def test_numbers_grow_when_all_is_taken_and_the_clock_is_set_back(spool: Connection) -> None:
    put(spool, "a", "started")
    number = last(spool)
    spool_table.note_taken(spool, number)
    put(spool, "a", "ringing", now=NOW - 3600)
    assert last(spool) > number


def test_what_is_taken_leaves_what_was_put_meanwhile(spool: Connection) -> None:
    put(spool, "a", "started")
    number = last(spool)
    put(spool, "a", "ringing")
    spool_table.note_taken(spool, number)
    assert sent(spool) == [("a after ringing", "ringing")]


def test_a_message_is_bounded_and_one_change_always_fits(spool: Connection) -> None:
    for name in ("a" * 900, "b" * 900, "c"):
        put(spool, name, "started")
    [(first, _)] = sent(spool, most_bytes=500)
    assert first.startswith("a")
    assert len(sent(spool, most=2)) == 2


def test_what_is_put_aside_holds_nothing_up_and_is_counted(spool: Connection) -> None:
    put(spool, "a", "started")
    put(spool, "b", "started")
    [first, second] = spool_table.take_next(spool, 0, 50, 10_000)
    spool_table.put_aside(spool, first.number, "of another edge's PBX")
    spool_table.note_taken(spool, second.number)
    assert spool_table.spool_state(spool) == spool_table.SpoolState(0, None, 1)


def test_what_is_forgotten_is_not_told(spool: Connection) -> None:
    put(spool, "a", "started")
    put(spool, "b", "started")
    spool_table.forget_calls(spool, ["a"])
    assert sent(spool) == [("b after started", "started")]
