"""The types that a field map names: what a system writes as text becomes what it means."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from routing_engine.core.model import Record, Scalar, Value
from routing_engine.core.templates import as_text
from routing_engine.settings.integration import FieldInfo

_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,15})?\Z", re.ASCII)
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})([T ].*)?\Z", re.ASCII)
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def apply_types(record: Record, about: Mapping[str, FieldInfo]) -> Record:
    """Return the record with its fields in the types that are named; what is none of that type stays as it is."""
    found = {name: _as(record.fields.get(name), one.type) for name, one in about.items() if one.type}
    changed = {name: value for name, value in found.items() if name in record.fields}
    return replace(record, fields={**record.fields, **changed}) if changed else record


def _as(value: Value, name: str) -> Value:
    if isinstance(value, tuple):
        return tuple(_BECOMES[name](one) for one in value)
    return _BECOMES[name](value)


def _number(value: Scalar) -> Scalar:
    text = as_text(value).strip()
    if not _NUMBER.match(text) or isinstance(value, bool):
        return value
    return float(text) if "." in text else int(text)


def _boolean(value: Scalar) -> Scalar:
    return _WORDS.get(as_text(value).strip().casefold(), value)


def _date(value: Scalar) -> Scalar:
    """Return the day of a moment as it is written there, in whatever time zone."""
    found = _DAY.match(as_text(value).strip())
    return found[1] if found else value


def _text(value: Scalar) -> Scalar:
    return None if value is None else as_text(value)


_BECOMES: Mapping[str, Callable[[Scalar], Scalar]] = {
    "text": _text,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
}
