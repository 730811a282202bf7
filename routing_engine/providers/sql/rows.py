"""Rows of a database read into records, and their values into what a record's field may be."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

from routing_engine.core.model import Record, Value
from routing_engine.core.templates import as_text
from routing_engine.errors import ProviderMisread
from routing_engine.providers.answers import page_url
from routing_engine.providers.values import read_value
from routing_engine.settings.integration import Model

_NUMBER = re.compile(r"[-+]?[0-9]{1,40}(\.[0-9]{1,40})?\Z", re.ASCII)
#: Column -> value, as the driver gives it.
Row: TypeAlias = Mapping[str, object]


def record_of(row: Row, model: Model, integration: str) -> Record:
    """Return the record of a row. Raises `ProviderMisread` when a column of the field map is not among its columns."""
    names = model.fields or {name: name for name in row}
    missing = next((theirs for theirs in names.values() if theirs not in row), None)
    if missing is not None:
        raise ProviderMisread(f"{integration}: the answer of the query has no column '{missing}'")
    fields = {ours: column_value(row[theirs]) for ours, theirs in names.items()}
    identity = fields.get("id")
    known = not isinstance(identity, (bool, tuple))
    return Record(fields, id=as_text(identity) if known else "", url=page_url(model.record_url, fields))


def column_value(raw: object) -> Value:
    """Return what stands in a column as a field's value: dates and times as ISO 8601 writes them, decimals as they are
    written (`2500.00`), arrays as tuples, bytes as the text they are, else as hexadecimal digits.
    """
    if isinstance(raw, (list, tuple, set, frozenset)):
        return read_value([_plain(item) for item in raw])
    return read_value(_plain(raw))


def _plain(raw: object) -> object:
    if isinstance(raw, (datetime.datetime, datetime.date, datetime.time)):
        return raw.isoformat()
    if isinstance(raw, (bytes, bytearray, memoryview)):
        return _text_of(bytes(raw))
    if isinstance(raw, Decimal):
        return format(raw, "f") if raw.is_finite() else None
    if isinstance(raw, float) and not math.isfinite(raw):
        return None  # no number that a rule could compare with
    return raw


def _text_of(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.hex()


def texts_in(raw: object) -> tuple[str, ...]:
    """Return the texts of a column, without spaces around them: one, or those of an array."""
    value = column_value(raw)
    return tuple(as_text(item).strip() for item in (value if isinstance(value, tuple) else (value,)))


def same_number(raw: object, text: str) -> bool:
    """Return whether a column may have been compared with a text: MySQL finds the number 5 by `5' OR 1=1`, too."""
    if isinstance(raw, bool) or not isinstance(raw, (int, float, Decimal)):
        return True
    written = text.strip()
    return bool(_NUMBER.match(written)) and Decimal(written) == Decimal(str(raw))
