"""The types that a field map names: what a system writes as text becomes what it means."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from routing_engine.core.model import Record, Scalar, Value
from routing_engine.core.templates import as_text

_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,15})?\Z", re.ASCII)
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})([T ].*)?\Z", re.ASCII)
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class HasType(Protocol):
    """What is said of a field; `type` is one of `FIELD_TYPES`, "" for values as they come."""

    @property
    def type(self) -> str:
        """The name of the type."""


@dataclass(frozen=True, slots=True)
class FieldType:
    """One type: `becomes` is the value that a system's value means; one that is not of this type stays as it is."""

    becomes: Callable[[Scalar], Scalar]
    doc: str


def apply_types(record: Record, fields: Mapping[str, HasType]) -> Record:
    """Return the record with its fields in the types that are named; entries of a list each for itself."""
    found = {
        name: _as(record.fields[name], FIELD_TYPES[one.type])
        for name, one in fields.items()
        if one.type and name in record.fields
    }
    return replace(record, fields={**record.fields, **found}) if found else record


def _as(value: Value, kind: FieldType) -> Value:
    return tuple(map(kind.becomes, value)) if isinstance(value, tuple) else kind.becomes(value)


def _number(value: Scalar) -> Scalar:
    text = as_text(value).strip()
    if not _NUMBER.match(text) or isinstance(value, bool):
        return value
    return float(text) if "." in text else int(text)


def _boolean(value: Scalar) -> Scalar:
    return _WORDS.get(as_text(value).strip().casefold(), value)


def _date(value: Scalar) -> Scalar:
    """Return the day of a moment as it is written there, in whatever time zone: a birthday stays the birthday."""
    found = _DAY.match(as_text(value).strip())
    return found[1] if found else value


def _text(value: Scalar) -> Scalar:
    return None if value is None else as_text(value)


#: Every type that `fields: {NAME: {type: ...}}` may name. The reference in docs/ is checked against this table.
FIELD_TYPES: Mapping[str, FieldType] = {
    "text": FieldType(_text, "the value as a text: 7 is '7'"),
    "number": FieldType(_number, "a number: '0042' is 42, '2500.50' is 2500.5"),
    "boolean": FieldType(_boolean, "true or false: true, yes and 1, or false, no and 0"),
    "date": FieldType(_date, "the day of a moment, as it is written there"),
}
