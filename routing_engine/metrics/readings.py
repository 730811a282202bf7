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
class MirrorState:
    """A mirrored model now: its records, how old they are, when all were last pulled, whether pulls fail."""

    records: int
    age_s: float
    full_at: float
    failing: bool


@dataclass(frozen=True, slots=True)
class Readings:
    """Where states come from. Each is called in the event loop, once a scrape, and must not wait.

    `not_ready` says why no call would be carried now, "" when it would. `sources` has every integration and model with
    whether it is down; `breakers` has the integrations with whether they are being spared. `mirrors` has what is
    mirrored by integration and model; one whose first pull is not complete is left out.
    """

    not_ready: Callable[[], str] = lambda: ""
    calls: Callable[[], int] = lambda: 0
    refused: Callable[[], int] = lambda: 0
    sources: Callable[[], Mapping[tuple[str, str], bool]] = dict
    breakers: Callable[[], Mapping[str, bool]] = dict
    cache_entries: Callable[[], int] = lambda: 0
    mirrors: Callable[[], Mapping[tuple[str, str], MirrorState]] = dict
    journal: Callable[[], JournalState | None] = lambda: None
