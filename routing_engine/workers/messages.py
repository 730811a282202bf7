"""What the first process and a worker say to one another. A question is answered, whatever else is under way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from routing_engine.config.folder import FolderTexts, UnreadableFile
from routing_engine.config.store import FolderInForce
from routing_engine.core.events import CallRouted, Reading
from routing_engine.errors import Problem

#: What was counted since the last time, by metric and labels (`metrics.tallies`).
Counted: TypeAlias = dict[str, dict[tuple[str, ...], list[float]]]


@dataclass(frozen=True, slots=True)
class Prepare:
    """Asks a worker to read a folder's texts, and to put nothing in force. It answers with the problems it finds.

    `texts` are the files that differ from what it was told last, `gone` those that are there no more; `rest` has all
    else of the folder, and no texts.
    """

    texts: Mapping[str, str | UnreadableFile]
    gone: tuple[str, ...]
    rest: FolderInForce


@dataclass(frozen=True, slots=True)
class Serve:
    """Asks a worker to take what it has prepared, and to take calls. It answers why it cannot, "" when it does."""


@dataclass(frozen=True, slots=True)
class Take:
    """Tells a worker to decide calls with what it has prepared. `routed`: the first process hears of routed calls."""

    routed: bool


@dataclass(frozen=True, slots=True)
class Forget:
    """Asks a worker to drop what its memory holds of a number. It answers how many answers that was."""

    e164: str


@dataclass(frozen=True, slots=True)
class TellNow:
    """Asks a worker for its figures. It answers with a `Report`."""


@dataclass(frozen=True, slots=True)
class Drain:
    """Tells a worker to take no more calls, and to end when those under way are over, or after so long."""

    at_most_s: float


@dataclass(frozen=True, slots=True)
class Report:
    """Tells what a worker has counted since its last report, and how it is now."""

    counted: Counted
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Routed:
    """Tells of a call, where the first process follows calls."""

    event: CallRouted


@dataclass(frozen=True, slots=True)
class Speak:
    """Asks the first process for a sound. It answers with its name, None when there is none in time."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Cut:
    """Tells how many calls a worker has cut at its end."""

    calls: int


Question: TypeAlias = Prepare | Serve | Forget | TellNow | Speak
Saying: TypeAlias = Take | Drain | Report | Routed | Cut
Answer: TypeAlias = tuple[Problem, ...] | int | str | Report | None


def difference(before: FolderInForce | None, now: FolderInForce) -> Prepare:
    """Return what a worker must be told that knows `before`."""
    known = {} if before is None else before.texts.texts
    texts = {name: text for name, text in now.texts.texts.items() if known.get(name) != text}
    gone = tuple(name for name in known if name not in now.texts.texts)
    return Prepare(texts, gone, replace(now, texts=replace(now.texts, texts={})))


def applied(before: FolderInForce | None, told: Prepare) -> FolderInForce:
    """Return what a worker knows that knew `before` and was told what is different."""
    texts = {} if before is None else dict(before.texts.texts)
    for name in told.gone:
        texts.pop(name, None)
    whole: FolderTexts = replace(told.rest.texts, texts={**texts, **told.texts})
    return replace(told.rest, texts=whole)
