"""How much of what a system answers is looked at: one answer beyond that is an error in words, and never a wait of all.

A number in a text costs some 75 us to read. A middleware that has lost its filter sends every customer it has, and one
record may hold a whole phone book: without these bounds that one answer would stop every call for seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from routing_engine.core.model import Record, Value
from routing_engine.errors import ProviderMisread

#: So many records may be one caller's, or be found by one value.
MOST_RECORDS = 100
#: So many texts of a field are read as numbers; a text that is longer than this is not a number.
MOST_TEXTS, LONGEST_TEXT = 20, 200
#: So many characters of numbers are read of one answer, which takes about 0.3 s of a thread.
_MOST_CHARACTERS = 40_000
#: More than this is read in a thread: it would take longer than 0.01 s.
READ_AT_ONCE = 1_500


def check_count(count: int, who: str) -> None:
    """Raise `ProviderMisread` for an answer of more records than a question about one caller can have."""
    if count > MOST_RECORDS:
        raise ProviderMisread(f"{who}: it answered with {count:,} records: is the search ignored?")


def number_texts(value: Value) -> Value:
    """Return what of a field is read as numbers: the field itself, unless it has too many texts or too long ones."""
    if not isinstance(value, tuple):
        return None if isinstance(value, str) and len(value) > LONGEST_TEXT else value
    if len(value) <= MOST_TEXTS and all(len(one) <= LONGEST_TEXT for one in value if isinstance(one, str)):
        return value
    return tuple(one for one in value[:MOST_TEXTS] if not isinstance(one, str) or len(one) <= LONGEST_TEXT)


def bounded(found: Sequence[Record], fields: Sequence[str], who: str) -> tuple[Sequence[Record], Mapping[int, Record]]:
    """Return records whose `fields` hold no more than is read as numbers, and the whole record by the `id` of each cut.

    Nearly all are the same ones. Raises `ProviderMisread` for more numbers than one caller's records can have.
    """
    if not fields:
        return found, {}
    shown = [_bounded(record, fields) for record in found]
    if (count := characters(shown, fields)) > _MOST_CHARACTERS:
        raise ProviderMisread(f"{who}: the numbers of its {len(found)} records are too many: {count:,} characters")
    return shown, {id(one): record for one, record in zip(shown, found, strict=True) if one is not record}


def _bounded(record: Record, fields: Sequence[str]) -> Record:
    cut = dict[str, Value]()
    for name in fields:
        value = record.fields.get(name)
        kept = number_texts(value)
        # A number that nobody reads is still one that is shown: the record must not pass for one without numbers.
        if kept is not value:
            cut[name] = kept or "?"
    return replace(record, fields={**record.fields, **cut}) if cut else record


def characters(found: Sequence[Record], fields: Sequence[str]) -> int:
    """Return how many characters are to be read as numbers."""
    return sum(_length(record.fields.get(name)) for record in found for name in fields)


def _length(value: Value) -> int:
    if isinstance(value, tuple):
        return sum(map(_length, value))
    return len(value) if isinstance(value, str) else 20
