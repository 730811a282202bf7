"""When a model is pulled next, and whether what is there may be used: arithmetic alone."""

from __future__ import annotations

import dataclasses
import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal, TypeAlias

from routing_engine.core.ports import Listing
from routing_engine.mirror.index import IndexState
from routing_engine.settings.mirror import MirrorSettings

Kind: TypeAlias = Literal["full", "changes"]
#: After a pull that failed: the first pause, which doubles, and the longest.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 15.0, 900.0
#: So often it is doubled at most: two to the number of failures is too large for a float after ten days.
_DOUBLED = 10
#: Before a pull that was not believed is tried again: what it finds will hardly be another thing in a minute.
_DOUBT_S = 3600.0
#: Fewer records than these may all but one vanish without being suspicious: somebody has tidied up.
_FEW = 10


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """What tells one way of reading from another: `shape` the field map, `system` the other side's settings."""

    shape: str
    system: str


@dataclass(frozen=True, slots=True)
class PullSchedule:
    """When a model is pulled. Moments in seconds since 1970."""

    name: str
    settings: MirrorSettings
    listing: Listing
    prints: Fingerprints

    def next(self, held: IndexState | None, now: float) -> tuple[Kind, float]:
        """Return the next pull and its moment, in seconds since 1970; one that is past is due."""
        if held is None or not self.fits(held):
            return "full", now
        full_at = self._after(held.full_at, self.settings.full_every_s, now)
        if self.listing != "changes" or not self.settings.changes_every_s:
            return "full", full_at
        changes_at = self._after(held.as_of, self.settings.changes_every_s, now)
        # When both are due, the full one: it brings the changes, too.
        return ("full", full_at) if full_at <= max(changes_at, now) else ("changes", changes_at)

    def fits(self, held: IndexState) -> bool:
        """Return whether what is there was read from the same system in the same way."""
        return (held.shape, held.system) == (self.prints.shape, self.prints.system)

    def _after(self, last: float, every_s: float, now: float) -> float:
        """Return a moment up to a tenth before `every_s` are over, so that not all are pulled in the same moment."""
        if last > now + 1:  # the clock was set back
            return now
        # By chance, but the same at every look: the moment must not wander.
        return last + every_s * random.Random(f"{self.name} {last}").uniform(0.9, 1.0)

    def why_unusable(self, held: IndexState | None, now: float) -> str:
        """Return a sentence why nothing can be found in what is there; "" when it can be."""
        if held is None:
            return "its records are being pulled for the first time"
        if held.shape != self.prints.shape:
            return "its records are being pulled anew, for another field map or region"
        if now - held.as_of > self.settings.usable_for_s:
            return "its records were last pulled too long ago"
        return ""


def suspicious(before: int, after: int, most_lost_percent: float) -> bool:
    """Return whether so many records cannot have gone: a right was taken away, a filter was set, half a list came."""
    if most_lost_percent >= 100 or after >= before:
        return False
    if after == 0:
        return True
    return before >= _FEW and (before - after) * 100 > before * most_lost_percent


def pause_s(failures: int, doubt: bool) -> float:
    """Return how long to wait after so many failures in a row; with `doubt` the last one was not believed."""
    if doubt:
        return _DOUBT_S
    doubled = min(failures - 1, _DOUBLED)
    return min(_FIRST_PAUSE_S * 2.0**doubled, _LONGEST_PAUSE_S)


def print_of(value: object) -> str:
    """Return a short print of settings that is the same after a restart. What hides from `repr` is not in it."""
    return hashlib.blake2b(repr(_plain(value)).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(one.name, _plain(getattr(value, one.name))) for one in dataclasses.fields(value) if one.repr]
    if isinstance(value, Mapping):
        return [(str(key), _plain(one)) for key, one in value.items()]
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value) if isinstance(value, PurePath) else type(value).__name__
