"""A real Tryton with people in it, for all tests of this folder; and the house for those that are a whole call."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rig.tryton import Tryton, tryton
from tests.acceptance.conftest import house as house

from .scene import Scene

INTEGRATION = """
provider: tryton
server: {address}
database: {database}
auth: {{api_key: '${{SECRET}}'}}
models: {{party: {{fields: {{vat: identifiers.code}}}}}}
"""
#: Who, the key, the kind of the number and its spelling. Tryton takes a national number only as `other`.
PEOPLE = (
    ("Anna Gruber", "123456", "mobile", "+43 664 1234567"),
    ("Paul Hofer", "0042", "other", "0664/7654321"),
    ("Ada Lovelace", "2125550", "phone", "+1 (212) 555-0147"),
    ("Ina Doppel", "777", "phone", "+43 1 5120001"),
    ("Udo Doppel", "778", "other", "01 512 00 01"),
    ("Zita Fern", "900", "other", "+41 664 123 45 67"),
    ("Bobby Tables", "1' OR '1'='1", "other", ""),
)


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tryton]:
    with tryton(tmp_path_factory.mktemp("tryton")) as running:
        yield running


@pytest.fixture(scope="session")
def scene(system: Tryton) -> Scene:
    ids = {
        name.split()[0]: str(system.add_party(name, *filter(None, [number]), kind=kind, code=code))
        for name, code, kind, number in PEOPLE
    }
    return Scene(INTEGRATION.format(address=system.address, database=system.database), system.key, ids)
