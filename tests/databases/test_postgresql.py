"""The SQL provider against a real PostgreSQL."""

from __future__ import annotations

import pytest

from tests.acceptance.stage import House
from tests.directories.whole_call import landed
from tests.providers.sql import PASSWORD

from .history import RealHistory
from .real import RealDatabase
from .sites import Site

pytestmark = [pytest.mark.databases, pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]


async def test_a_caller_in_the_database_gets_to_the_queue_of_the_rule(house: House, postgresql_site: Site) -> None:
    rule = "when: {city: Linz}, to: {queue: vip}"
    landing = await landed(house, postgresql_site.yaml(), rule, caller="+436641234567", secret=PASSWORD)
    assert (landing.exten, landing.variables["ROUTE_REASON"]) == ("vip", "matched")
    assert landing.variables["ROUTE_RECORD_URL"] == "https://crm.example.com/contacts/1"


class TestPostgresql(RealDatabase):
    """All that every database must do."""

    @pytest.fixture
    def site(self, postgresql_site: Site) -> Site:
        return postgresql_site

    spoiling = (
        "CREATE TABLE spoiled (id INT)",
        f"CREATE ROLE writer LOGIN PASSWORD '{PASSWORD.replace(chr(39), chr(39) * 2)}'",
        "GRANT ALL ON spoiled TO writer",
        "CREATE FUNCTION spoil() RETURNS INT LANGUAGE sql AS 'INSERT INTO spoiled VALUES (1) RETURNING id'",
    )
    secured = "SELECT cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND :e164 <> ''"
    many = "SELECT n, '+43 664 ' || n FROM generate_series(1, 5000) n"


class TestPostgresqlHistory(RealHistory):
    """The call records of a PBX."""

    @pytest.fixture
    def site(self, postgresql_site: Site) -> Site:
        return postgresql_site
