# ruff: noqa: F403, F405  the tests of the contract are these, too
"""The engine's database as a PostgreSQL: its contract, the journal in it, and what only a server can do."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from rig.databases import Database as Server
from rig.databases import postgresql
from routing_engine.errors import StorageError
from routing_engine.journal import forget
from routing_engine.journal.privacy import Privacy, without
from routing_engine.journal.reader import list_calls, open_to_read
from routing_engine.journal.store import JournalStore
from routing_engine.journal.stored_call import CallFilter
from routing_engine.journal.writer import Journal
from routing_engine.storage.calls_forget import ForgottenRecords, forget_calls
from routing_engine.storage.connector import Connector
from routing_engine.storage.place import DatabasePlace
from routing_engine.storage.take_over import TAKEN_OVER
from tests.journal.calls import AT, Log, number, routed, settings
from tests.storage.database_contract import *
from tests.storage.database_contract import noted, noting, opened
from tests.storage.people_contract import *
from tests.storage.test_take_over import make_version_1

pytestmark = pytest.mark.databases
NAMES = (f"calls{count}" for count in itertools.count())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgresql(tmp_path_factory.mktemp("calls")) as running:
        yield running


def as_administrator(server: Server, statement: LiteralString, *names: str) -> None:
    address = {"host": server.host, "port": server.port, "user": server.user, "dbname": "postgres"}
    with psycopg.connect(autocommit=True, **address) as connection:  # type: ignore[arg-type]
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@pytest.fixture
def place(server: Server) -> DatabasePlace:
    """A database with nothing in it."""
    name = next(NAMES)
    as_administrator(server, "CREATE DATABASE {}", name)
    return DatabasePlace(url=f"postgresql://{server.user}@{server.address}/{name}")


def ids_in(place: DatabasePlace) -> list[str]:
    with open_to_read(place) as connection:
        return [one.call_id for one in list_calls(connection, CallFilter(limit=10_000), Privacy("plain"))]


# ------------------------------------------------------------------------------------------- outages


async def test_a_connection_that_died_costs_nobody_anything(place: DatabasePlace, server: Server) -> None:
    log = Log()
    async with opened(place) as database:
        await database.write(noting("a"))
        as_administrator(server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname <> 'postgres'")
        await database.write(noting("b"))
        assert await database.read(noted) == ["a", "b"]
    assert log.events == []


async def test_a_server_that_is_gone_is_told_once_and_loses_nothing_that_was_put(
    place: DatabasePlace, server: Server
) -> None:
    log, name = Log(), place.url.rpartition("/")[2]
    async with opened(place) as database:
        as_administrator(server, "ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
        as_administrator(server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname <> 'postgres'")
        for letter in "abc":
            database.put(noting(letter))
        await log.wait_for("database.down")
        with pytest.raises(StorageError, match="not currently accepting connections"):
            await database.write(noted)
        as_administrator(server, "ALTER DATABASE {} ALLOW_CONNECTIONS true", name)
        await log.wait_for("database.up")
        assert await database.write(noted) == ["a", "b", "c"]
    assert log.events == ["database.down", "database.up"]


async def test_tables_that_vanish_under_a_running_engine_are_made_again_and_nothing_is_lost(
    place: DatabasePlace,
) -> None:
    async with opened(place) as database:
        database.put(noting("before"))
        await database.flush()
        with psycopg.connect(place.url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        database.put(noting("after"))
        assert await database.flush()
        assert (await database.read(noted), database.lost) == (["after"], 0)


async def test_a_user_without_a_right_is_an_outage_that_an_administrator_mends(
    place: DatabasePlace, server: Server
) -> None:
    with Connector(place).connected() as connection, connection.begin():
        connection.exec_driver_sql("CREATE ROLE stranger LOGIN")
    stranger = DatabasePlace(url=place.url.replace(f"{server.user}@", "stranger@"))
    async with opened(stranger) as database:
        assert database.down


def test_what_the_library_says_beside_its_errors_is_in_no_log(
    place: DatabasePlace, caplog: pytest.LogCaptureFixture
) -> None:
    died = psycopg.errors.AdminShutdown
    with pytest.raises(died), psycopg.connect(place.url) as connection, connection.pipeline():
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())").fetchone()
    assert caplog.messages == []


def test_tables_of_others_stand_beside_ours(place: DatabasePlace) -> None:
    with psycopg.connect(place.url) as connection:
        connection.execute("CREATE TABLE astdb (key TEXT)")
    with Connector(place).connected():
        pass
    with psycopg.connect(place.url) as connection:
        assert connection.execute("SELECT count(*) FROM astdb").fetchone() == (0,)


# ------------------------------------------------------------------------------------------- the journal in it


async def test_the_journal_is_kept_found_and_forgotten_there(place: DatabasePlace) -> None:
    journal = Journal(place, settings("plain"), "AT")
    await journal.open()
    for count in range(1200):
        journal.record(routed("+43 1 5550199", call_id=f"b{count}", record=None, trail=()))
    journal.record(routed(call_id="a"))
    assert await journal.flush(30)
    await journal.close()
    assert len(ids_in(place)) == 1201
    assert forget.forget(place, number("+436641234567"), Privacy("plain")).deleted == 1
    assert "a" not in ids_in(place)


async def test_the_journal_lets_go_of_what_is_too_old_or_too_much(place: DatabasePlace) -> None:
    journal = Journal(place, settings("plain"), "AT", now=AT.timestamp)
    await journal.open()
    journal.record(routed(call_id="a"))
    assert await journal.flush(30)
    await journal.close()
    store, at_ms = JournalStore(place), round(AT.timestamp() * 1000)
    assert store.expire(at_ms, 1 << 30) == 0
    assert store.expire(at_ms + 1, 1 << 30) == 1
    assert store.newest_s() is None
    store.close()


def test_calls_of_a_number_are_forgotten_there_with_what_waits_of_them(place: DatabasePlace) -> None:
    gone: list[str] = []
    mention = replace(CALL, id="02", from_="+431", transfers=(CallTransfer(1.0, None, CALL.from_, "blind"),))
    with Connector(place).transaction() as connection:
        for call in (CALL, mention):
            calls_table.save_call(connection, call)
    anna = number("+436641234567")
    found = forget_calls(
        place, anna.e164, lambda text: without(text, anna), lambda _, ids: gone.extend(ids), dry_run=False
    )
    assert (found, gone) == (ForgottenRecords(1, 1), ["01", "02"])
    with Connector(place).transaction() as connection:
        assert calls_table.load_call(connection, "01") is None
        left = calls_table.load_call(connection, "02")
    assert left is not None
    assert left.transfers[0].to == "(forgotten)"


# ------------------------------------------------------------------------------------------- what was before


def test_what_files_of_before_hold_is_copied_once_and_each_keeps_its_file(place: DatabasePlace, tmp_path: Path) -> None:
    make_version_1(tmp_path / "journal.db", *map(str, range(700)))
    with Connector(DatabasePlace(tmp_path / "calls.db")).transaction() as connection:
        calls_table.save_call(connection, CALL)
    older = DatabasePlace(url=place.url, older=(tmp_path / "calls.db", tmp_path / "journal.db"))
    for _ in range(2):
        with Connector(older).transaction() as connection:
            assert calls_table.load_call(connection, CALL.id) == CALL
    assert sorted(ids_in(place), key=int) == [str(one) for one in range(700)]
    assert {one.name for one in tmp_path.glob(f"*{TAKEN_OVER}")} == {
        f"calls.db{TAKEN_OVER}",
        f"journal.db{TAKEN_OVER}",
    }


def test_an_engine_that_died_behind_the_copy_copies_nothing_twice(place: DatabasePlace, tmp_path: Path) -> None:
    make_version_1(tmp_path / "journal.db", "a")
    older = DatabasePlace(url=place.url, older=(tmp_path / "journal.db",))
    with Connector(older).connected():
        (tmp_path / f"journal.db{TAKEN_OVER}").rename(tmp_path / "journal.db")
    with Connector(older).connected():
        pass
    assert ids_in(place) == ["a"]
