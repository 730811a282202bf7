"""The SQL provider on SQLite: the contract, spellings, own queries, and what happens to the file."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from routing_engine.core.phone import read_number
from routing_engine.core.ports import Checks, Provider, Query
from routing_engine.errors import ProviderMisread, ProviderRefused, ProviderUnreachable
from routing_engine.sql.statement import TableQuery
from tests.docs.pages import REFERENCE
from tests.examples import examples

from .contract import CUSTOMERS, HOSTILE, REGION, ProviderContract, by_caller, by_field, ids
from .sql import INJECTIONS, MODELS, SPELLED, find, opened

pytestmark = pytest.mark.io

TABLE = "CREATE TABLE customers (id INTEGER PRIMARY KEY, customer_number TEXT, full_name TEXT, city TEXT, phone TEXT)"
DATABASE = "provider: sql\ndatabase: sqlite:///customers.db\n"


def write(folder: Path, rows: Sequence[Sequence[object]], table: str = TABLE, name: str = "customers.db") -> None:
    """Make the file anew, beside its place, then renamed."""
    beside = folder / f"{name}.new"
    beside.unlink(missing_ok=True)
    connection = sqlite3.connect(beside)
    connection.execute(table)
    connection.executemany(f"INSERT INTO customers VALUES ({', '.join('?' * len(rows[0]))})", rows)
    connection.commit()
    connection.close()
    beside.rename(folder / name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, [tuple(row.values()) for row in CUSTOMERS])
    return tmp_path


@pytest.fixture
async def provider(folder: Path) -> AsyncIterator[Provider]:
    provider = opened(DATABASE + MODELS, folder)
    yield provider
    await provider.close()


class TestSqlite(ProviderContract):
    """The contract."""


CALLER = "+43 664 1234567"
OWN = """
models:
  contact:
    fields: {id: id, name: full_name}
    find_by_phone: SELECT id, full_name FROM customers WHERE replace(phone, ' ', '') IN (:e164, :national)
    find_by_field:
      number: SELECT id, full_name, customer_number FROM customers WHERE customer_number = :value
      name: SELECT id, full_name FROM customers WHERE instr(full_name, :value) > 0
"""
#: It runs for as long as anybody lets it, for the caller +43 664 1999999.
ENDLESS = """
models:
  contact:
    find_by_phone: >
      WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE :last6 = '999999')
      SELECT max(x) AS id FROM n
"""


def phones(folder: Path, *texts: object, kind: str = "TEXT") -> None:
    """Customers 0, 1, ... with these phones."""
    write(folder, [*enumerate(texts)], f"CREATE TABLE customers (id INTEGER, phone {kind})")


def spelled(number: str, form: str) -> Query:
    caller = read_number(number, REGION)
    assert caller is not None
    return Query("contact", "", caller.e164, True, caller, form)


SIMPLE = "models: {contact: {table: customers, fields: {id: id, phone: phone}, numbers: phone}}\n"


@pytest.mark.parametrize("text", SPELLED)
async def test_a_caller_is_found_however_the_column_spells_the_number(tmp_path: Path, text: str) -> None:
    phones(tmp_path, "0664 7654321", text)
    assert ids(await find(DATABASE + SIMPLE, by_caller(CALLER), tmp_path)) == ["1"]


@pytest.mark.parametrize("kind", ["INTEGER", "NUMERIC", "BLOB", "VARCHAR(20)"])
async def test_a_column_of_another_type_is_searched_too(tmp_path: Path, kind: str) -> None:
    phones(tmp_path, "436647654321", "436641234567", kind=kind)
    assert ids(await find(DATABASE + SIMPLE, by_caller(CALLER), tmp_path)) == ["1"]


@pytest.mark.parametrize(
    ("match", "found"),
    [("exact", ["0"]), ("exact_then_digits", ["0", "2"]), ("digits", ["0", "1", "2"])],
)
async def test_how_numbers_are_matched_is_the_operators_choice(tmp_path: Path, match: str, found: list[str]) -> None:
    phones(tmp_path, "+436641234567", "0664/123 45 67", "06641234567")
    assert ids(await find(f"{DATABASE}number_match: {match}\n{SIMPLE}", by_caller(CALLER), tmp_path)) == found


async def test_a_stranger_of_the_same_spelling_hides_nobody(tmp_path: Path) -> None:
    phones(tmp_path, "01711234567", "0044 171 1234567")  # to an Austrian engine the first one is in Austria
    assert ids(await find(DATABASE + SIMPLE, by_caller("+44 171 1234567"), tmp_path)) == ["0", "1"]


async def test_the_last_digits_find_what_has_more_around_it(tmp_path: Path) -> None:
    phones(tmp_path, "01 5550123; 0664/123 45 67 ext. 12", "0664 7654321")
    assert ids(await find(DATABASE + SIMPLE, spelled(CALLER, "last 8"), tmp_path)) == ["0"]


async def test_further_spellings_are_not_asked_for_when_all_were(tmp_path: Path) -> None:
    phones(tmp_path, "0664/1234567")
    text = f"{DATABASE}number_form: [national, e164]\n{SIMPLE}"
    assert ids(await find(text, spelled(CALLER, "national"), tmp_path)) == ["0"]
    assert ids(await find(text, spelled(CALLER, "e164"), tmp_path)) == []


async def test_an_extension_finds_itself_and_no_longer_number(tmp_path: Path) -> None:
    phones(tmp_path, "100", "+43 1 100", "5100")
    assert ids(await find(DATABASE + SIMPLE, by_caller("100"), tmp_path)) == ["0"]


async def test_a_whole_number_is_searched_as_it_is_written(provider: Provider) -> None:
    values = ("2", "02", "2 OR 1=1", "2.0", "two", "9" * 40)
    assert [ids(await provider.find(by_field("id", value))) for value in values] == [["2"], [], [], [], [], []]


async def test_own_queries_get_what_they_name(folder: Path) -> None:
    provider = opened(DATABASE + OWN, folder)
    assert ids(await provider.find(by_caller(CALLER))) == ["1"]
    assert ids(await provider.find(by_field("number", "0042"))) == ["2"]
    assert ids(await provider.find(by_field("name", "Paul"))) == ["2"]
    assert ids(await provider.find(by_field("name", "Pa%"))) == []
    with pytest.raises(ProviderRefused, match=r"no find_by_field: \{city: \.\.\.\}"):
        await provider.find(by_field("city", "Linz"))
    await provider.close()


async def test_an_own_query_that_names_no_spelling_is_asked_once(folder: Path) -> None:
    text = f"{DATABASE}number_form: [e164, national]\n{OWN}"
    assert ids(await find(text, spelled(CALLER, "e164"), folder)) == ["1"]
    assert ids(await find(text, spelled(CALLER, "national"), folder)) == []


async def test_a_column_that_an_own_query_does_not_give_is_named(folder: Path) -> None:
    with pytest.raises(ProviderMisread, match="no column 'full_name'"):
        await find(DATABASE + OWN.replace("id, full_name FROM", "id FROM", 1), by_caller(CALLER), folder)


@examples(300, unchecked=HealthCheck)
@given(value=st.one_of(st.sampled_from(INJECTIONS + HOSTILE), st.text(min_size=1, max_size=40)))
@example(value="' OR 1=1 -- ")
async def test_what_a_caller_types_changes_no_query(provider: Provider, own: Provider, value: str) -> None:
    found = [*await provider.find(by_field("number", value)), *await own.find(by_field("number", value))]
    assert {record.id for record in found} in (set(), {"1"}, {"2"}, {"3"}, {"4"})
    assert not found or value.strip() in [row["customer_number"] for row in CUSTOMERS]
    assert ids(await own.find(by_field("number", "123456"))) == ["1"]


@pytest.fixture
async def own(folder: Path) -> AsyncIterator[Provider]:
    provider = opened(DATABASE + OWN, folder)
    yield provider
    await provider.close()


async def test_more_rows_than_allowed_are_an_error_for_a_caller_and_cut_for_a_value(tmp_path: Path) -> None:
    phones(tmp_path, *[CALLER] * 9)
    text = f"{DATABASE}at_most: 8\n{SIMPLE}"
    with pytest.raises(ProviderMisread, match="at_most"):
        await find(text, by_caller(CALLER), tmp_path)
    assert len(await find(text, by_field("phone", CALLER), tmp_path)) == 8


async def test_nothing_to_search_by_is_refused(provider: Provider) -> None:
    with pytest.raises(ProviderRefused, match="nothing to search by"):
        await provider.find(by_field("number", ""))


async def test_a_file_that_is_replaced_is_read_anew(folder: Path, provider: Provider) -> None:
    assert ids(await provider.find(by_field("number", "0042"))) == ["2"]
    write(folder, [(9, "0042", "Eva", "Wien", "")])
    assert ids(await provider.find(by_field("number", "0042"))) == ["9"]
    (folder / "customers.db").unlink()
    with pytest.raises(ProviderRefused, match="is not there"):
        await provider.find(by_field("number", "0042"))


async def test_a_file_that_is_written_to_meanwhile_is_read_as_it_is(folder: Path, provider: Provider) -> None:
    assert ids(await provider.find(by_field("number", "77"))) == []
    with sqlite3.connect(folder / "customers.db") as connection:
        connection.execute("INSERT INTO customers VALUES (5, '77', 'Eva', 'Wien', '')")
    connection.close()
    assert ids(await provider.find(by_field("number", "77"))) == ["5"]


async def test_a_writer_who_keeps_the_file_is_waited_for_a_second(folder: Path, provider: Provider) -> None:
    writer = sqlite3.connect(folder / "customers.db", isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ProviderUnreachable, match="somebody else is writing"):
        await provider.find(by_field("number", "0042"))
    writer.close()
    assert ids(await provider.find(by_field("number", "0042"))) == ["2"]


async def test_what_is_no_database_is_said(folder: Path, provider: Provider) -> None:
    (folder / "customers.db").write_text("id;name\n1;Anna\n" * 100)
    with pytest.raises(ProviderRefused, match="not a SQLite database"):
        await provider.find(by_field("number", "0042"))


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (SIMPLE.replace("table: customers", "table: nowhere"), "no such table"),
        (SIMPLE.replace("phone: phone}", "phone: no_such}"), "no such column"),
        ("models: {contact: {find_by_phone: 'SELECT nonsense(:e164)'}}\n", "no such function"),
        ("models: {contact: {find_by_phone: 'SELECT FROM WHERE :e164'}}\n", "does not understand"),
    ],
)
async def test_what_is_wrong_with_a_query_is_said(folder: Path, models: str, said: str) -> None:
    provider = opened(DATABASE + models, folder)
    assert isinstance(provider, Checks)
    with pytest.raises(ProviderRefused, match=said):
        await provider.find(by_caller(CALLER))
    with pytest.raises(ProviderRefused, match=said):
        await provider.check()
    await provider.close()


async def test_the_check_names_the_wrong_column_and_lists_what_there_is(folder: Path) -> None:
    provider = opened(
        DATABASE + MODELS.replace("number: customer_number, name: full_name", "number: nr, name: NAME"), folder
    )
    assert isinstance(provider, Checks)
    with pytest.raises(ProviderRefused) as caught:
        await provider.check()
    assert str(caught.value).endswith(
        "there is no such column: 'nr', 'NAME'; 'customers' has id, customer_number, full_name, city, phone"
    )
    assert caught.value.remedy == "correct 'fields' of the model 'contact'"
    await provider.close()


COLUMNS_THERE = "'customers' has id, customer_number, full_name, city, phone"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("SELECT id, nam FROM customers WHERE phone = :e164", f"'nam'; {COLUMNS_THERE}"),
        ("SELECT c.id, c.nam FROM customers c WHERE c.phone = :e164", f"'c.nam'; {COLUMNS_THERE}"),
        (
            "SELECT id FROM customers AS c WHERE 'x' = 'from t' AND fone IN (:e164, :national)",
            f"'fone'; {COLUMNS_THERE}",
        ),
        ("SELECT max(id) AS id FROM (SELECT id FROM customers WHERE fone = :e164)", f"'fone'; {COLUMNS_THERE}"),
        ("WITH x AS (SELECT * FROM `customers`) SELECT y FROM x WHERE phone = :e164", "'y'; '`customers`' has id,"),
        ("SELECT id FROM custommers WHERE phone = :e164", "no such table: 'custommers'; there are customers"),
        ("SELECT id FROM customers WHERE digits(phone) = :e164", "not for columns of this type: 'digits'; look at"),
    ],
)
async def test_an_own_query_s_wrong_name_is_told_with_what_there_is(folder: Path, query: str, named: str) -> None:
    models = f"models:\n  contact:\n    find_by_phone: >\n      {query}\n    find_by_field: {{}}\n"
    provider = opened(DATABASE + models.replace("    find_by_field: {}\n", ""), folder)
    assert isinstance(provider, Checks)
    for ask in (lambda: provider.find(by_caller(CALLER)), provider.check):
        with pytest.raises(ProviderRefused) as caught:
            await ask()
        assert named in str(caught.value)
        assert "6641234567" not in str(caught.value)
    await provider.close()


async def test_who_must_correct_which_query_is_said(folder: Path) -> None:
    query = "SELECT id FROM customers WHERE nr = :value"
    provider = opened(f"{DATABASE}models: {{contact: {{find_by_field: {{number: '{query}'}}}}}}\n", folder)
    with pytest.raises(ProviderRefused) as caught:
        await provider.find(by_field("number", "7"))
    assert caught.value.remedy == "correct the query 'number' of 'find_by_field' of the model 'contact'"
    await provider.close()


async def test_all_is_well_is_said_too(provider: Provider) -> None:
    assert isinstance(provider, Checks)
    assert await provider.check() == "the database knows all that 2 queries name"


async def test_a_query_that_takes_too_long_is_ended(folder: Path) -> None:
    provider = opened(f"{DATABASE}time_limit_s: 1\nconnections: 1\n{ENDLESS}", folder)
    with pytest.raises(ProviderUnreachable, match="time_limit_s"):
        await provider.find(by_caller("+43 664 1999999"))
    assert ids(await provider.find(by_caller(CALLER))) == ["1"]
    await provider.close()


async def test_a_hang_up_in_mid_query_ends_it_and_spoils_no_connection(folder: Path) -> None:
    provider = opened(f"{DATABASE}connections: 1\n{ENDLESS}", folder)
    assert ids(await provider.find(by_caller(CALLER))) == ["1"]
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await provider.find(by_caller("+43 664 1999999"))
        assert ids(await provider.find(by_caller(CALLER))) == ["1"]
    await provider.close()


async def test_a_hang_up_while_the_file_is_opened_leaves_nothing_open(folder: Path) -> None:
    provider = opened(f"{DATABASE}connections: 1\n{MODELS}", folder)
    for _ in range(20):
        asking = asyncio.ensure_future(provider.find(by_field("number", "0042")))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert ids(await provider.find(by_field("number", "0042"))) == ["2"]
    await provider.close()


def test_the_index_of_the_reference_is_the_one_that_is_used(tmp_path: Path) -> None:
    phones(tmp_path, *range(100))
    (statement,) = re.findall(r"^-- SQLite\n(CREATE INDEX.+?;)$", (REFERENCE / "sql.md").read_text(), re.M | re.S)
    connection = sqlite3.connect(tmp_path / "customers.db")
    connection.execute(statement)
    asked = TableQuery("sqlite", "customers", ("id", "phone"), 51).same_digits(["phone"], 2)
    assert "customers_phone_digits" in str(connection.execute(f"EXPLAIN QUERY PLAN {asked.text()}", "12").fetchall())
    connection.close()
