"""A real Odoo 19 with people in it, for all tests of this folder; and the house for those that are a whole call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rig.odoo import Odoo, odoo
from tests.acceptance.conftest import house as house

#: Who, the key, and the number as somebody typed it into Odoo.
PEOPLE = (
    ("Anna Gruber", "123456", "+43 664 1234567"),
    ("Paul Hofer", "0042", "0664/7654321"),
    ("Ada Lovelace", "2125550", "+1 (212) 555-0147"),
    ("Ina Doppel", "777", "+43 1 5120001"),
    ("Udo Doppel", "778", "01 512 00 01"),
    ("Zita Fern", "900", "+41 664 123 45 67"),
    ("Bobby Tables", "1' OR '1'='1", ""),
)


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Odoo]:
    with odoo(tmp_path_factory.mktemp("odoo")) as running:
        yield running


@pytest.fixture(scope="session")
def people(system: Odoo) -> dict[str, str]:
    """The ids of the contacts, by their first names."""
    return {name.split()[0]: str(system.add_partner(name, phone, ref=key)) for name, key, phone in PEOPLE}


@pytest.fixture(scope="session")
def leads(system: Odoo) -> dict[str, str]:
    """The ids of leads of the same people, by their first names."""
    return {name.split()[0]: str(system.add_lead(name, phone, referred=key)) for name, key, phone in PEOPLE}
