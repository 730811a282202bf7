"""Values at the edge: strict JSON, or a cell of a file, to what a field of a record may be."""

from __future__ import annotations

import asyncio
import codecs
import json
import math
from collections.abc import Callable
from typing import NoReturn, TypeVar

from routing_engine.core.model import Json, Scalar, Value
from routing_engine.core.redact import clean_text

T = TypeVar("T")
_WIDEST = 2**63
#: A larger answer is read in a thread: all calls would wait for it.
ASIDE_BYTES = 65_536
#: JSON of more values is refused: while the reader of Python makes them, no other thread runs.
_MOST_VALUES = 250_000


def read_value(raw: Json) -> Value:
    """Return a JSON value as a field's value: a list of scalars as a tuple, anything deeper as its JSON text.

    A whole number beyond 64 bits is an id that somebody forgot to quote: it becomes its text.
    """
    if isinstance(raw, str):  # nearly all are
        return raw if raw.isprintable() else clean_text(raw)
    if isinstance(raw, list) and not any(isinstance(item, (list, dict)) for item in raw):
        return tuple(map(_read_scalar, raw))
    if isinstance(raw, (list, dict)):
        return clean_text(json.dumps(raw, ensure_ascii=False))
    return _read_scalar(raw)


def _read_scalar(raw: Json) -> Scalar:
    if isinstance(raw, str):
        return clean_text(raw)
    # Python has no limit, JavaScript and databases have: as text all digits survive.
    if isinstance(raw, int) and not -_WIDEST <= raw < _WIDEST:
        return str(raw)
    return raw if raw is None or isinstance(raw, (bool, int, float)) else str(raw)


async def aside(size: int, read: Callable[[], T]) -> T:
    """Return what `read` makes of an answer of so many bytes; of a large one in a thread, so that no call waits."""
    return read() if size <= ASIDE_BYTES else await asyncio.to_thread(read)


def read_json(body: bytes) -> Json:
    """Read strict JSON in UTF-8 (a byte order mark is passed over). Raises `ValueError` for anything else."""
    if len(body) > _MOST_VALUES and body.count(b",") + body.count(b"[") + body.count(b"{") > _MOST_VALUES:
        raise ValueError("has more than 250,000 values")
    try:
        # Not as "utf-8-sig": Python decodes that in Python.
        found: Json = _DECODER.decode(body.removeprefix(codecs.BOM_UTF8).decode())
        return found
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which JSON does not know")


def _finite(text: str) -> float:
    found = float(text)
    return found if math.isfinite(found) else _refuse_constant("a number that is too large")


# Python's reader takes NaN and Infinity, which are no JSON and no value that a rule could compare with.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
