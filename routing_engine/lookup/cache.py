"""Answers kept in memory, for every route together.

An answer is kept under what was really asked, and without a time of its own: each route says how old it may be
(`CachePolicy`), so one that is too old for this call may still do for the next.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from routing_engine.core.asks import Find
from routing_engine.core.model import Record, Value

#: Integration with a print of its models, model, field, value, the caller's number, and whether the search is by it
#: (only then is what is found checked against it): all that can make an answer differ.
Key: TypeAlias = tuple[str, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What was answered, `at` in seconds since 1970; no records is an answer too.

    `mismatches` counts the records that were found and are not the caller's, `unreadable` those whose number cannot be
    read.
    """

    records: tuple[Record, ...]
    at: float
    mismatches: int = 0
    unreadable: int = 0


def key_of(ask: Find, print_: str = "") -> Key:
    """Return the key of a look-up; `print_` differs when the integration's models or the site's region do.

    Routes that ask the same share an answer, whatever they call the source and however long they wait for it.
    """
    source = ask.source
    caller = ask.caller.e164 if ask.caller is not None else ""
    by = "caller" if source.by_caller else "other"
    return f"{source.integration}@{print_}", source.model, source.field, ask.value, caller, by


#: A larger answer is not kept: it would push out many others, and is asked for anew.
LARGEST = 200_000
#: What Python needs beside the texts: for an answer with its key, a record, a field.
_ANSWER, _RECORD, _FIELD = 1000, 400, 100


class Cache:
    """At most `entries` answers and `most_bytes` of memory; the one not used for longest makes room.

    `changed` hears of every change: the key with what is kept now, None for an answer that was dropped.
    """

    def __init__(
        self,
        entries: int,
        changed: Callable[[Key, CacheEntry | None], None] = lambda key, entry: None,
        most_bytes: int = 64_000_000,
    ) -> None:
        self._most, self._changed, self._most_bytes = entries, changed, most_bytes
        self._sizes: dict[Key, int] = {}
        self._bytes = 0
        self._entries: OrderedDict[Key, CacheEntry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[tuple[Key, CacheEntry]]:
        return iter(tuple(self._entries.items()))  # a copy: who goes through them may drop some

    def get(self, key: Key) -> CacheEntry | None:
        """Return what is kept, however old; None when nothing is."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: Key, entry: CacheEntry) -> None:
        """Keep an answer, in the place of an older one; one that is too large to keep only takes that away."""
        size = size_of(key, entry)
        if size > min(LARGEST, self._most_bytes):
            if key in self._entries:
                self._drop(key)
            return
        self._bytes += size - self._sizes.get(key, 0)
        self._entries[key], self._sizes[key] = entry, size
        self._entries.move_to_end(key)
        self._changed(key, entry)
        while len(self._entries) > self._most or self._bytes > self._most_bytes:
            self._drop(next(iter(self._entries)))

    def forget(self, e164: str) -> int:
        """Drop every answer that was asked for a number (E.164), or that holds it; return how many those were."""
        gone = [key for key, entry in self._entries.items() if e164 in key or _holds(entry, e164)]
        for key in gone:
            self._drop(key)
        return len(gone)

    def _drop(self, key: Key) -> None:
        del self._entries[key]
        self._bytes -= self._sizes.pop(key)
        self._changed(key, None)


def size_of(key: Key, entry: CacheEntry) -> int:
    """Return about how much memory an answer takes, in bytes."""
    records = (_RECORD + sum(map(_weight, record.fields.values())) for record in entry.records)
    return _ANSWER + sum(map(sys.getsizeof, key)) + sum(records)


def _weight(value: Value) -> int:
    return _FIELD + (sum(map(_weight, value)) if isinstance(value, tuple) else sys.getsizeof(value))


def _holds(entry: CacheEntry, e164: str) -> bool:
    # Generous: a record that only contains the digits goes as well. It is asked for again when it is needed.
    digits = e164.lstrip("+")
    return any(digits in str(value).replace(" ", "") for record in entry.records for value in record.fields.values())
