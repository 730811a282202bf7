"""What the SQL provider must do on every real database. A subclass gives the fixture `site`."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from routing_engine.core.asks import Find, Found
from routing_engine.core.model import Operand, Record, Source, Template
from routing_engine.core.phone import read_number
from routing_engine.core.ports import Checks, Provider, Query
from routing_engine.errors import ProviderMisread, ProviderRefused, ProviderUnreachable
from routing_engine.lookup.search import Search
from routing_engine.settings.sql import Kind
from routing_engine.sql.statement import TableQuery
from tests.docs.pages import REFERENCE
from tests.examples import examples
from tests.fakes import FOREVER_S
from tests.providers.contract import HOSTILE, REGION, ProviderContract, by_caller, by_field, ids
from tests.providers.sql import INJECTIONS, PASSWORD, SPELLED, find, opened, read

from .sites import Site, literal

PAGE = (REFERENCE / "sql.md").read_text()
names = map("t{}".format, itertools.count())
CALLER = "+43 664 1234567"
COLUMNS = "id INT, phone VARCHAR(80)"
SIMPLE = "models: {{contact: {{table: {table}, fields: {{id: id, phone: phone}}, numbers: phone}}}}\n"


def querying(phone: str = "", fields: str = "") -> str:
    """Models with queries of the operator's own."""
    by_phone = f"    find_by_phone: {literal(phone)}\n" if phone else ""
    by_field = f"    find_by_field: {{number: {literal(fields)}}}\n" if fields else ""
    return f"models:\n  contact:\n{by_phone}{by_field}"


class RealDatabase(ProviderContract):
    """The contract, and what only a server can show."""

    @pytest_asyncio.fixture(loop_scope="session")
    async def provider(self, site: Site) -> AsyncIterator[Provider]:
        provider = opened(site.yaml())
        yield provider
        await provider.close()

    async def test_a_caller_is_found_however_the_column_spells_the_number(self, site: Site) -> None:
        table = next(names)
        for spelled in SPELLED:
            await site.table(table, COLUMNS, ("7", literal(spelled)), ("8", "'0664 7654321'"))
            found = await find(site.yaml(SIMPLE.format(table=table)), by_caller(CALLER))
            assert ids(found) == ["7"], spelled

    async def test_the_last_digits_find_what_has_more_around_it(self, site: Site) -> None:
        table = next(names)
        await site.table(table, COLUMNS, ("7", "'01 5550123; 0664/123 45 67 ext. 12'"))
        last = Query("contact", "", "+436641234567", True, read_number(CALLER, REGION), "last 8")
        assert ids(await find(site.yaml(SIMPLE.format(table=table)), last)) == ["7"]

    async def test_the_index_of_the_reference_is_the_one_that_is_used(self, site: Site) -> None:
        table, label = next(names), "PostgreSQL" if site.is_postgresql else "MariaDB"
        (statement,) = re.findall(rf"^-- {label}.*\n((?:CREATE INDEX|ALTER TABLE).+;)$", PAGE, re.M)
        await site.table(table, "id INT, phone VARCHAR(40)")
        index = re.sub(r"\bcustomers\b", table, statement)
        await site.do(f"INSERT INTO {table} {self.many}", index, f"ANALYZE {self.analyze} {table}")
        kind: Kind = "postgresql" if site.is_postgresql else "mysql"
        asked = (
            TableQuery(kind, table, ("id", "phone"), 51).same_digits(["phone"], 2).text(lambda count: f"'43664{count}'")
        )
        assert "phone_digits" in str(await site.do(f"EXPLAIN {asked}"))

    @pytest.mark.parametrize("kind", ["BIGINT", "NUMERIC(20)"])
    async def test_a_number_in_a_numeric_column_is_found(self, site: Site, kind: str) -> None:
        table = next(names)
        await site.table(table, f"id INT, phone {kind}", ("7", "436641234567"), ("8", "436647654321"))
        assert ids(await find(site.yaml(SIMPLE.format(table=table)), by_caller(CALLER))) == ["7"]

    async def test_a_whole_number_is_searched_as_it_is_written(self, site: Site) -> None:
        by_id = [by_field("id", value) for value in ("2", "02", "2 OR 1=1", "2abc", "two", "9" * 30)]
        assert [ids(await find(site.yaml(), query)) for query in by_id] == [["2"], [], [], [], [], []]

    @examples(150, unchecked=HealthCheck)
    @given(value=st.one_of(st.sampled_from(INJECTIONS + HOSTILE), st.text(max_size=40)))
    @example(value="' OR 1=1 -- ")
    async def test_what_a_caller_types_changes_no_query(self, provider: Provider, own: Provider, value: str) -> None:
        for one in (provider, own):
            found = await one.find(by_field("number", value)) if value else []
            assert [record.fields["number"] for record in found] in ([], [value.strip()])
            assert ids_of(await one.find(by_field("number", "123456"))) == ["1"]

    @pytest_asyncio.fixture(loop_scope="session")
    async def own(self, site: Site) -> AsyncIterator[Provider]:
        """A provider with a query of the operator's own."""
        query = "SELECT id, customer_number AS number FROM customers WHERE customer_number = :value"
        provider = opened(site.yaml(querying(fields=query)))
        yield provider
        await provider.close()

    async def test_an_own_query_gets_the_spellings_it_names(self, site: Site) -> None:
        names = ("number", "e164", "national", "digits", "received", "last8", "last_10")
        columns = ", ".join(f"CAST(:{name} AS CHAR(20)) AS {name}" for name in names)
        (record,) = await find(site.yaml(querying(f"SELECT {columns}")), by_caller("0664 123 45 67"))
        values = [str(record.fields[name]).strip() for name in names]
        assert values[:4] == ["+436641234567", "+436641234567", "06641234567", "436641234567"]
        assert values[4:] == ["0664 123 45 67", "41234567", "6641234567"]

    async def test_an_own_query_compares_numbers_as_numbers(self, site: Site) -> None:
        text = site.yaml(querying(fields="SELECT id AS number, full_name FROM customers WHERE id = :value"))
        found = [ids_of(await find(text, by_field("number", value))) for value in ("2", "2' OR 1=1", "2abc", "two")]
        assert found == [["2"], [], [], []]

    async def test_the_caller_who_is_hidden_is_null_in_an_own_query(self, site: Site) -> None:
        query = "SELECT id FROM customers WHERE customer_number = :value AND :e164 IS NULL"
        query = query.replace(":e164", "CAST(:e164 AS CHAR(20))")
        text = site.yaml(querying(fields=query))
        assert len(await find(text, by_field("number", "0042"))) == 1
        assert await find(text, by_field("number", "0042", caller=CALLER)) == []

    async def test_values_of_every_type_are_read(self, site: Site) -> None:
        table, binary = next(names), "BYTEA" if site.is_postgresql else "VARBINARY(9)"
        columns = (
            f"id INT, phone VARCHAR(40), a NUMERIC(10,2), b DATE, c TIMESTAMP NULL, d BOOLEAN, e {binary}, f BIGINT"
        )
        text, broken = ("'\\x416e6e61'", "'\\xff00'") if site.is_postgresql else ("X'416e6e61'", "X'ff00'")
        day, moment = "'2026-11-20'", "'2026-11-20 08:30:00'"
        await site.table(
            table,
            columns,
            ("1", literal(CALLER), "2500.00", day, moment, "true", text, "9007199254740993"),
            ("2", literal(CALLER), "NULL", "NULL", "NULL", "false", broken, "NULL"),
        )
        models = f"models: {{contact: {{table: {table}, numbers: phone}}}}\n"
        one, two = await find(site.yaml(models), by_caller(CALLER))
        assert [one.fields[name] for name in "abcef"] == [
            "2500.00", "2026-11-20", "2026-11-20T08:30:00", "Anna", 9007199254740993
        ]  # fmt: skip
        assert bool(one.fields["d"]) is True
        assert [two.fields[name] for name in "abcf"] == [None] * 4
        assert two.fields["e"] == "ff00"

    async def test_more_rows_than_allowed_are_an_error_for_a_caller_and_cut_for_a_value(self, site: Site) -> None:
        table = next(names)
        await site.table(table, "id INT, phone VARCHAR(40)", *((str(n), literal(CALLER)) for n in range(9)))
        text = site.yaml(SIMPLE.format(table=table), "at_most: 8\n")
        with pytest.raises(ProviderMisread, match="at_most"):
            await find(text, by_caller(CALLER))
        assert len(await find(text, by_field("phone", CALLER))) == 8

    async def test_nothing_can_be_written(self, site: Site) -> None:
        await site.do(*self.spoiling)
        with pytest.raises(ProviderRefused, match="would write"):
            await find(site.yaml(querying("SELECT spoil() AS id WHERE :e164 <> ''"), user="writer"), by_caller(CALLER))
        [(count,)] = await site.do("SELECT count(*) FROM spoiled")
        assert count == 0

    @pytest.mark.parametrize(
        ("models", "said"),
        [
            (SIMPLE.format(table="nowhere"), "no such table"),
            ("models: {contact: {table: customers, fields: {id: id, x: no_such}, numbers: x}}\n", "no such column"),
            (querying("SELECT nonsense(:e164)"), "no such function"),
            (querying("SELECT FROM WHERE :e164"), "does not understand"),
            (SIMPLE.format(table="vault.secrets"), "may not read"),
        ],
    )
    async def test_what_is_wrong_with_a_query_is_said_without_values(self, site: Site, models: str, said: str) -> None:
        await site.do("CREATE SCHEMA IF NOT EXISTS vault", f"CREATE TABLE IF NOT EXISTS vault.secrets ({COLUMNS})")
        provider = opened(site.yaml(models))
        assert isinstance(provider, Checks)
        with pytest.raises(ProviderRefused, match=said) as caught:
            await provider.find(by_caller(CALLER))
        assert "6641234567" not in str(caught.value)
        with pytest.raises(ProviderRefused, match=said) as checked:
            await provider.check()
        assert said != "no such column" or "'no_such'; 'customers' has id, customer_number," in str(checked.value)
        await provider.close()

    @pytest.mark.parametrize(
        ("query", "named"),
        [
            (
                "SELECT id, nam FROM customers WHERE phone = :e164",
                "column: 'nam'; 'customers' has id, customer_n",
            ),
            (
                "SELECT c.id FROM customers c WHERE c.fone = :e164",
                "column: 'c.fone'; 'customers' has id, cust",
            ),
            ("SELECT id FROM custommers WHERE phone = :e164", "custommers'; there are "),
            ("SELECT nonsense(:e164)", "nonsense'"),
        ],
    )
    async def test_an_own_query_s_wrong_name_is_told_with_what_there_is(
        self, site: Site, query: str, named: str
    ) -> None:
        provider = opened(site.yaml(querying(query)))
        assert isinstance(provider, Checks)
        for ask in (lambda: provider.find(by_caller(CALLER)), provider.check):
            with pytest.raises(ProviderRefused) as caught:
                await ask()
            assert named in str(caught.value)
            assert "customers" in str(caught.value) or "nonsense" in named
        await provider.close()

    async def test_all_is_well_is_said_too(self, site: Site, provider: Provider) -> None:
        assert isinstance(provider, Checks)
        assert await provider.check() == "the database knows all that 2 queries name"

    @pytest.mark.parametrize(
        ("how", "said"),
        [
            ({"password": "wrong"}, "user or the password"),
            ({"user": "stranger"}, "user or the password"),
            ({"database": "nowhere"}, "no database of this name"),
        ],
    )
    async def test_a_refused_log_in_names_no_secret(self, site: Site, how: dict[str, str], said: str) -> None:
        password = how.get("password", PASSWORD)
        how = {key: value for key, value in how.items() if key != "password"}
        with pytest.raises(ProviderRefused, match=said) as caught:
            await find(site.yaml(**how), by_caller(CALLER), password=password)
        assert password not in str(caught.value)

    async def test_a_query_that_takes_too_long_is_ended_by_the_server(self, site: Site) -> None:
        text = site.yaml(querying(f"SELECT {site.sleep(20)} AS id, :e164 AS phone"), "time_limit_s: 0.3\n")
        with pytest.raises(ProviderUnreachable, match="time_limit_s"):
            await find(text, by_caller(CALLER))
        await site.until_sleepers(0)

    async def test_a_hang_up_in_mid_query_ends_it_on_the_server_and_spoils_no_connection(self, site: Site) -> None:
        query = f"SELECT CASE WHEN :last6 = '999999' THEN {site.sleep(20)} END AS nap, id, phone FROM customers"
        provider = opened(site.yaml(querying(f"{query} WHERE phone = '{CALLER}' AND :e164 <> ''"), "connections: 1\n"))
        assert ids_of(await provider.find(by_caller(CALLER))) == ["1"]
        asking = asyncio.ensure_future(provider.find(by_caller("+43 664 1999999")))
        await site.until_sleepers(1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert ids_of(await provider.find(by_caller(CALLER))) == ["1"]
        await site.until_sleepers(0)
        await provider.close()

    async def test_a_hundred_look_ups_at_once_take_as_many_connections_as_allowed(self, site: Site) -> None:
        provider = opened(site.yaml(further="connections: 3\n"))
        found = await asyncio.gather(*(provider.find(by_field("number", "0042")) for _ in range(100)))
        assert [ids(one) for one in found] == [["2"]] * 100
        assert await site.connections() == 3
        await provider.close()

    async def test_closing_leaves_no_connection_on_the_server(self, site: Site) -> None:
        provider = opened(site.yaml())
        await asyncio.gather(*(provider.find(by_field("number", "0042")) for _ in range(5)))
        await provider.close()
        async with asyncio.timeout(FOREVER_S):
            while await site.connections():
                await asyncio.sleep(0.02)

    @pytest.mark.parametrize("kill", [False, True])
    async def test_a_server_that_was_restarted_is_found_again_at_the_first_look_up(
        self, site: Site, kill: bool
    ) -> None:
        connection, _ = read(site.yaml(), Path())
        provider = opened(site.yaml())
        await asyncio.gather(*(provider.find(by_field("number", "0042")) for _ in range(5)))
        site.server.stop(kill)
        site.server.start()
        search = Search({"shop": provider}, {"shop": connection.models}, REGION, 5, asyncio.get_running_loop().time)
        source = Source("shop", "shop", "contact", Template((Operand("call", "caller"),)))
        found = await search.find(Find(source, "+436641234567", read_number(CALLER, REGION)), 5)
        assert isinstance(found, Found), found
        assert ids(found.records) == ["1"]
        await provider.close()

    async def test_a_server_that_is_away_is_unreachable(self, site: Site) -> None:
        provider = opened(site.yaml())
        await provider.find(by_field("number", "0042"))
        site.server.stop()
        try:
            for _ in range(2):
                with pytest.raises(ProviderUnreachable):
                    await provider.find(by_field("number", "0042"))
        finally:
            site.server.start()
        assert ids(await provider.find(by_field("number", "0042"))) == ["2"]
        await provider.close()

    async def test_a_table_that_is_changed_meanwhile_is_read_as_it_is(self, site: Site) -> None:
        table = next(names)
        await site.table(table, "id INT, phone VARCHAR(40), tier VARCHAR(9)", ("1", literal(CALLER), "'12'"))
        provider = opened(site.yaml(f"models: {{contact: {{table: {table}, numbers: phone}}}}\n"))
        assert [one.fields["tier"] for one in await provider.find(by_caller(CALLER))] == ["12"]
        change = "ALTER COLUMN tier TYPE INT USING tier::int" if site.is_postgresql else "MODIFY tier INT"
        await site.do(f"ALTER TABLE {table} {change}", f"ALTER TABLE {table} ADD since INT")
        found = await self.repeated(provider, by_caller(CALLER))
        assert [(one.fields["tier"], one.fields["since"]) for one in found] == [(12, None)]
        await provider.close()

    async def test_tls_is_spoken_and_the_certificate_checked(self, site: Site, certificate: tuple[Path, Path]) -> None:
        folder = certificate[0].parent
        trusted = site.yaml(further="tls: {ca: ca.pem}\n")
        assert ids(await find(trusted, by_field("number", "0042"), folder)) == ["2"]
        with pytest.raises(ProviderRefused, match="not trusted"):
            await find(site.yaml(further="tls: {verify: true}\n"), by_field("number", "0042"))
        provider = opened(site.yaml(querying(self.secured), "tls: {verify: false}\n"))
        (record,) = await provider.find(by_caller(CALLER))
        assert record.fields["cipher"]
        await provider.close()

    async def repeated(self, provider: Provider, query: Query) -> Sequence[Record]:
        """What is found at the second time of asking, where the first one says that it may help."""
        try:
            return await provider.find(query)
        except ProviderUnreachable as error:
            if not error.again:
                raise
            return await provider.find(query)

    spoiling: tuple[str, ...]
    secured: str
    many: str
    analyze = ""


def ids_of(records: object) -> list[str]:
    """The ids of records whose field map may have no id: whatever is in `id`, else in `number`."""
    found = [record.fields for record in records]  # type: ignore[attr-defined]
    return [str(fields.get("id", fields.get("number"))) for fields in found]
