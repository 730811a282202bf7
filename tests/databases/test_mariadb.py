"""The SQL provider against a real MariaDB."""

from __future__ import annotations

import pytest

from tests.acceptance.stage import House
from tests.directories.whole_call import landed
from tests.providers.sql import PASSWORD

from .history import RealHistory
from .real import RealDatabase
from .sites import Site

pytestmark = [pytest.mark.databases, pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]


async def test_a_caller_in_the_database_gets_to_the_queue_of_the_rule(house: House, mariadb_site: Site) -> None:
    rule = "when: {city: Linz}, to: {queue: vip}"
    landing = await landed(house, mariadb_site.yaml(), rule, caller="+436641234567", secret=PASSWORD)
    assert (landing.exten, landing.variables["ROUTE_REASON"]) == ("vip", "matched")
    assert landing.variables["ROUTE_RECORD_URL"] == "https://crm.example.com/contacts/1"


class TestMariadb(RealDatabase):
    """All that every database must do."""

    @pytest.fixture
    def site(self, mariadb_site: Site) -> Site:
        return mariadb_site

    quoted_password = PASSWORD.replace("\\", "\\\\").replace("'", "''")
    spoiling = (
        "CREATE TABLE spoiled (id INT)",
        f"CREATE USER writer@'%' IDENTIFIED BY '{quoted_password}'",
        "GRANT ALL ON test.* TO writer@'%'",
        "CREATE FUNCTION spoil() RETURNS INT BEGIN INSERT INTO spoiled VALUES (1); RETURN 1; END",
    )
    secured = (
        "SELECT variable_value AS cipher FROM information_schema.session_status"
        " WHERE variable_name = 'Ssl_cipher' AND :e164 <> ''"
    )
    many = "SELECT seq, CONCAT('+43 664 ', seq) FROM seq_1_to_5000"
    analyze = "TABLE"


class TestMariadbHistory(RealHistory):
    """The call records of a PBX."""

    @pytest.fixture
    def site(self, mariadb_site: Site) -> Site:
        return mariadb_site
