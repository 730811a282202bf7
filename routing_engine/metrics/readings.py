"""Where a scrape's numbers come from that are read instead of being counted: the state of other rooms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JournalState:
    """The journal now: calls that wait for the disk, calls that are lost, whether it works."""

    waiting: int
    lost: int
    down: bool


@dataclass(frozen=True, slots=True)
class Readings:
    """Where states come from. Each is called in the event loop, once a scrape, and must not wait.

    `not_ready` says why no call would be carried now, "" when it would. `sources` has every integration and model with
    whether it is down; `breakers` has the integrations with whether they are being spared.
    """

    not_ready: Callable[[], str] = lambda: ""
    calls: Callable[[], int] = lambda: 0
    refused: Callable[[], int] = lambda: 0
    sources: Callable[[], Mapping[tuple[str, str], bool]] = dict
    breakers: Callable[[], Mapping[str, bool]] = dict
    cache_entries: Callable[[], int] = lambda: 0
    journal: Callable[[], JournalState | None] = lambda: None
