"""Answers kept in memory: the key is what was really asked, the age decides at each look what may still be used."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from routing_engine.core.model import Find, Record

#: Integration with a print of its models, model, field, value, the caller's number, and whether the search is by it
#: (only then is what is found checked against it): all that can make an answer differ.
Key: TypeAlias = tuple[str, str, str, str, str, str]


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """What was answered; `at` in seconds since 1970. No records is an answer too."""

    records: tuple[Record, ...]
    at: float
    strangers: int = 0


def key_of(ask: Find, print_: str = "") -> Key:
    """Return the key of a look-up; `print_` differs when the integration's models or the site's region do."""
    source = ask.source
    caller = ask.caller.e164 if ask.caller is not None else ""
    by = "caller" if source.by_caller else "other"
    return f"{source.integration}@{print_}", source.model, source.field, ask.value, caller, by


class Cache:
    """At most `entries` answers; the one not used for longest makes room. `changed` hears of every change."""

    def __init__(
        self, entries: int, changed: Callable[[Key, CacheEntry | None], None] = lambda key, entry: None
    ) -> None:
        self._most, self._changed = entries, changed
        self._entries: OrderedDict[Key, CacheEntry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[tuple[Key, CacheEntry]]:
        return iter(tuple(self._entries.items()))

    def get(self, key: Key) -> CacheEntry | None:
        """Return what is kept, however old."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: Key, entry: CacheEntry) -> None:
        """Keep an answer."""
        self._entries[key] = entry
        self._entries.move_to_end(key)
        self._changed(key, entry)
        while len(self._entries) > self._most:
            oldest, _ = self._entries.popitem(last=False)
            self._changed(oldest, None)

    def forget(self, e164: str) -> int:
        """Drop every answer that was asked for a number, or that holds it; give how many those were."""
        gone = [key for key, entry in self._entries.items() if e164 in key or _holds(entry, e164)]
        for key in gone:
            del self._entries[key]
            self._changed(key, None)
        return len(gone)


def _holds(entry: CacheEntry, e164: str) -> bool:
    digits = e164.lstrip("+")
    return any(digits in str(value).replace(" ", "") for record in entry.records for value in record.fields.values())
