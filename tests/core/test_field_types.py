"""What a system writes as text becomes the type that the field map names."""

from __future__ import annotations

import pytest

from routing_engine.core.field_types import apply_types
from routing_engine.core.model import Record, Value
from routing_engine.settings.integration import FieldInfo


@pytest.mark.parametrize(
    ("type_", "raw", "value"),
    [
        ("number", "2500", 2500),
        ("number", " -12.50 ", -12.5),
        ("number", "2,500", "2,500"),
        ("number", "9" * 30, "9" * 30),
        ("number", True, True),
        ("number", None, None),
        ("boolean", "Yes", True),
        ("boolean", "0", False),
        ("boolean", "perhaps", "perhaps"),
        ("date", "2026-11-21T10:00:00+01:00", "2026-11-21"),
        ("date", "21.11.2026", "21.11.2026"),
        ("text", 42, "42"),
        ("text", None, None),
        ("number", ("1", "x"), (1, "x")),
        ("", "2500", "2500"),
    ],
)
def test_a_value_becomes_its_type_or_stays(type_: str, raw: Value, value: Value) -> None:
    found = apply_types(Record({"held": raw}), {"held": FieldInfo(type=type_)}).fields["held"]
    assert found == value
    assert type(found) is type(value)


def test_a_field_that_is_not_there_does_not_come_from_its_type() -> None:
    assert apply_types(Record({"name": "Anna"}), {"held": FieldInfo(type="number")}).fields == {"name": "Anna"}
