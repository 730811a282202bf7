"""The reference has a row for every row of the code's tables; apart from the other names, since it is quickly read."""

from __future__ import annotations

import re

from routing_engine.core.destinations import WRITTEN
from routing_engine.core.field_types import FIELD_TYPES
from routing_engine.core.operators import OPERATORS

from .pages import REFERENCE, names, table


def test_operators():
    assert names(REFERENCE / "conditions.md", "Operators") == set(OPERATORS)


def test_types_of_fields():
    row = next(row for row in table(REFERENCE / "integrations.md", "A field") if row.names[0] == "type")
    assert set(re.findall(r"`(\w+)`", row.cells[1])) == set(FIELD_TYPES)


def test_kinds_of_destination():
    assert names(REFERENCE / "destinations.md", "Kinds") == set(WRITTEN)
