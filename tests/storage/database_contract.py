"""What holds for the engine's database, SQLite or PostgreSQL: each runs these with a `place` of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Connection, MetaData, inspect, text

from routing_engine.calls.call import Call, CallRoute, CallTransfer, Leg
from routing_engine.calls.requests import CallQuery
from routing_engine.errors import StorageError
from routing_engine.storage import calls_table
from routing_engine.storage.connector import Connector
from routing_engine.storage.database import Database
from routing_engine.storage.migrations import MIGRATIONS, Migration, migrate, schema_of, take_back
from routing_engine.storage.place import DatabasePlace
from tests.journal.calls import Log

CALL = Call(
    "01", "main", "1764500000.7", "inbound", 1764500000.25, from_="+436641234567", to="+4312345601", did="+4312345601"
)


@asynccontextmanager
async def opened(place: DatabasePlace, retry_s: float = 0.01) -> AsyncIterator[Database]:
    database = Database(place, retry_s=retry_s)
    await database.open()
    try:
        yield database
    finally:
        await database.close(30)


def note(connection: Connection, name: str) -> None:
    connection.execute(text("INSERT INTO about (name, value) VALUES (:name, '')"), {"name": name})


def noted(connection: Connection) -> list[str]:
    found = connection.execute(text("SELECT name FROM about WHERE name <> 'schema' ORDER BY name"))
    return list(found.scalars())


def noting(name: str) -> Callable[[Connection], None]:
    return lambda connection: note(connection, name)


# ------------------------------------------------------------------------------------------- the line


async def test_what_is_put_is_written_in_order_and_told(place: DatabasePlace) -> None:
    told: list[int] = []
    async with opened(place) as database:
        for number in range(100):
            assert database.put(noting(f"{number:03}"), lambda number=number: told.append(number))
        assert await database.flush()
        assert await database.read(noted) == [f"{number:03}" for number in range(100)]
    assert told == list(range(100))


async def test_a_write_gives_what_the_work_gave_and_stands_behind_what_was_put(place: DatabasePlace) -> None:
    async with opened(place) as database:
        database.put(noting("a"))
        assert await database.write(noted) == ["a"]


async def test_many_works_share_one_wait_for_the_disk(place: DatabasePlace) -> None:
    async with opened(place) as database:
        transactions = await asyncio.gather(*(database.write(_transaction) for _ in range(50)))
    assert len(set(transactions)) < 10


def _transaction(connection: Connection) -> int:
    return id(connection.get_transaction())


async def test_work_that_fails_takes_nothing_of_others_with_it(place: DatabasePlace) -> None:
    def broken(connection: Connection) -> None:
        note(connection, "b")
        raise ValueError("a fault of ours")

    log = Log()
    async with opened(place) as database:
        database.put(noting("a"))
        database.put(broken)
        database.put(noting("c"))
        with pytest.raises(ValueError, match="a fault of ours"):
            await database.write(broken)
        assert await database.read(noted) == ["a", "c"]
        assert (database.lost, database.down) == (1, "")
    assert log.events == ["database.failed"]


async def test_work_that_the_database_refuses_is_no_outage(place: DatabasePlace) -> None:
    async with opened(place) as database:
        database.put(noting("a"))
        database.put(noting("a"))  # the key is there
        database.put(lambda connection: connection.execute(text("SELECT nothing FROM about")) and None)
        database.put(noting("b"))
        assert await database.write(noted) == ["a", "b"]
        assert (database.lost, database.down) == (2, "")


async def test_two_engines_write_side_by_side(place: DatabasePlace) -> None:
    async with opened(place) as one, opened(place) as other:
        for number in range(50):
            one.put(noting(f"a{number}"))
            other.put(noting(f"b{number}"))
        assert await one.flush()
        assert await other.flush()
        assert len(await one.read(noted)) == 100


async def test_a_line_that_is_full_refuses_and_tells_it_once(place: DatabasePlace) -> None:
    go_on = threading.Event()
    log = Log()
    database = Database(place, most_waiting=10)
    await database.open()
    database.put(lambda _: go_on.wait(30) and None)
    taken = [database.put(noting(f"{number:02}")) for number in range(30)]
    go_on.set()
    assert await database.flush()
    assert len(await database.read(noted)) == sum(taken) == 30 - database.lost < 30
    await database.close(30)
    assert log.events[:1] == ["database.full"]
    assert log.events.count("database.full") == 1


async def test_a_reader_changes_nothing_and_does_not_wait_for_writers(place: DatabasePlace) -> None:
    go_on = threading.Event()
    async with opened(place) as database:
        database.put(lambda _: go_on.wait(30) and None)
        assert await database.read(noted) == []
        go_on.set()


async def test_a_database_that_is_closed_takes_no_more_writes(place: DatabasePlace) -> None:
    async with opened(place) as database:
        pass
    with pytest.raises(StorageError, match="stopping"):
        await database.write(noted)


# ------------------------------------------------------------------------------------------- its form


def test_the_tables_that_the_code_knows_are_those_that_the_steps_make(place: DatabasePlace) -> None:
    known: list[MetaData] = [calls_table.METADATA]
    with Connector(place).transaction() as connection:
        for table in (table for metadata in known for table in metadata.sorted_tables):
            made = {one["name"]: one["nullable"] for one in inspect(connection).get_columns(table.name)}
            assert made == {column.name: column.nullable for column in table.columns}, table.name


def test_every_step_goes_back_and_leaves_what_was_before(place: DatabasePlace) -> None:
    with Connector(place).connected() as connection:
        newest = shape(connection)
        forms = []
        for schema in reversed(range(len(MIGRATIONS))):
            take_back(connection, schema)
            forms.append(shape(connection))
        assert forms[-1] == {"about"}
        migrate(connection)
        assert shape(connection) == newest
        for before in forms[:1]:
            take_back(connection, len(MIGRATIONS) - 1)
            assert shape(connection) == before


def shape(connection: Connection) -> set[str]:
    """The names of all tables and indexes."""
    with connection.begin():
        inspector = inspect(connection)
        tables = inspector.get_table_names()
        indexes = {str(one["name"]) for table in tables for one in inspector.get_indexes(table)}
    return {*tables, *indexes}


def test_a_step_that_fails_changes_nothing(place: DatabasePlace) -> None:
    broken = (*MIGRATIONS, Migration(("CREATE TABLE more (name TEXT)", "CREATE TABLE more (name TEXT)"), ()))
    with Connector(place).connected() as connection:
        before = shape(connection)
        with pytest.raises(Exception, match="already exists"):
            migrate(connection, broken)
        assert shape(connection) == before


def test_a_database_of_a_newer_version_is_refused_with_what_to_do(place: DatabasePlace) -> None:
    newer = (*MIGRATIONS, Migration(("CREATE TABLE more (name TEXT)",), ("DROP TABLE more",)))
    with Connector(place).connected() as connection:
        migrate(connection, newer)
    sentence = (
        rf"a newer version .* \(schema {len(newer)}, this one knows {len(MIGRATIONS)}\).*--back {len(MIGRATIONS)}"
    )
    with pytest.raises(StorageError, match=sentence), Connector(place).connected():
        pass
    with pytest.raises(StorageError, match=sentence), Connector(place, write=False).connected():
        pass


def test_engines_that_start_at_once_make_the_tables_once(place: DatabasePlace) -> None:
    faults: list[Exception] = []

    def start() -> None:
        try:
            with Connector(place).connected():
                pass
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with Connector(place).connected() as connection, connection.begin():
        assert schema_of(connection) == len(MIGRATIONS)


# ------------------------------------------------------------------------------------------- calls


def test_a_call_is_read_as_it_was_written(place: DatabasePlace) -> None:
    call = replace(CALL, legs=(Leg("main/201", "anna"),), route=CallRoute("support", None, "matched", "r", "1764.9"))
    with Connector(place).transaction() as connection:
        calls_table.save_call(connection, call)
        assert calls_table.load_call(connection, "01") == call
        assert calls_table.load_call(connection, "02") is None
        assert calls_table.open_calls(connection) == [call]
        assert calls_table.with_pbx_id(connection, "1764.9") == [call]
        assert calls_table.with_pbx_id(connection, "01") == [call]


def test_a_late_version_overwrites_nothing(place: DatabasePlace) -> None:
    with Connector(place).transaction() as connection:
        calls_table.save_call(connection, replace(CALL, version=3, disposition="sold"))
        calls_table.save_call(connection, replace(CALL, version=2))
        found = calls_table.load_call(connection, "01")
    assert found is not None
    assert (found.version, found.disposition) == (3, "sold")


def test_a_pbx_id_that_comes_again_at_another_time_is_another_call(place: DatabasePlace) -> None:
    with Connector(place).transaction() as connection:
        calls_table.save_call(connection, CALL)
        later = [replace(CALL, id="02", started_at=CALL.started_at + seconds) for seconds in (0, 1.5, 3)]
        assert [calls_table.by_pbx_id(connection, one) for one in later] == [CALL, CALL, None]
        assert calls_table.by_pbx_id(connection, replace(CALL, pbx="branch")) is None


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (CallQuery(), "5431"),
        (CallQuery(since=1003.0), "543"),
        (CallQuery(until=1003.0), "1"),
        (CallQuery(user="anna"), "41"),
        (CallQuery(number="+431"), "31"),
        (CallQuery(number="+439"), "4"),
        (CallQuery(user="anna", number="+431"), "1"),
        (CallQuery(outcome="missed"), "3"),
        (CallQuery(direction="outbound"), "5"),
        (CallQuery(user="nobody"), ""),
    ],
)
def test_what_narrows_a_list(place: DatabasePlace, wanted: CallQuery, ids: str) -> None:
    with Connector(place).transaction() as connection:
        for call in SEVERAL:
            calls_table.save_call(connection, call)
        assert "".join(one.id for one in calls_table.find_calls(connection, wanted)[0]) == ids


SEVERAL = (
    Call("1", "main", "1.1", "inbound", 1001.0, from_="+431", legs=(Leg("main/201", "anna"),)),
    Call("2", "main", "2.1", "inbound", 1002.0, from_="+432", merged_into="1"),
    Call("3", "main", "3.1", "inbound", 1003.0, from_="+431", outcome="missed", state="ended"),
    Call(
        "4", "main", "4.1", "inbound", 1004.0, from_="+434", user="anna",
        transfers=(CallTransfer(1005.0, "main/201", "+439", "blind"),),
    ),
    Call("5", "main", "5.1", "outbound", 1004.0, to="+435"),
)  # fmt: skip


@pytest.mark.parametrize("number", [None, "+431"])
def test_pages_follow_each_other_without_a_gap_also_within_one_moment(place: DatabasePlace, number: str | None) -> None:
    with Connector(place).transaction() as connection:
        for n in range(25):
            calls_table.save_call(connection, replace(CALL, id=f"{n:02}", started_at=1000.0 + n // 10, from_="+431"))
        found: list[str] = []
        wanted: CallQuery | None = CallQuery(number=number, limit=10)
        while wanted is not None:
            calls, cursor = calls_table.find_calls(connection, wanted)
            found += [one.id for one in calls]
            wanted = replace(wanted, cursor=cursor) if cursor is not None else None
    assert found == [f"{n:02}" for n in reversed(range(25))]


@pytest.mark.parametrize("cursor", ["", "x", "1764500000000", "-1", "12x-01", "١٢-01", "9" * 40 + "-1"])
def test_a_cursor_that_is_none_is_told(cursor: str) -> None:
    with pytest.raises(ValueError, match="this is no cursor"):
        _ = CallQuery(cursor=cursor).after


def test_calls_that_are_too_old_go_and_open_ones_stay(place: DatabasePlace) -> None:
    with Connector(place).transaction() as connection:
        for call in SEVERAL:
            calls_table.save_call(connection, replace(call, state="ringing" if call.id == "1" else "ended"))
        assert calls_table.expire_calls(connection, 1004.0, 10) == ["2", "3"]
        assert [one.id for one in calls_table.find_calls(connection, CallQuery())[0]] == ["5", "4", "1"]
        assert calls_table.find_calls(connection, CallQuery(number="+432"))[0] == []
