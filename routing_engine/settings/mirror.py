"""What `mirror` of an integration says: that its records are pulled into an index of our own, how often, and how old
it may be. Read here, below the rooms, because routes read it and the mirror obeys it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from routing_engine.core.ports import Listable, Listing
from routing_engine.settings.spec import setting
from routing_engine.settings.value_types import choice, number, text, whole, word_or
from routing_engine.settings.yaml_reader import Section

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """How a source is mirrored. All records every `full_every_s`, changes every `changes_every_s` (0: never).

    Each pull of changes goes back `overlap_s` before the one before it began. `key` is the field that a search looks
    in where the route names none. A full pull that would lose more than `most_lost_percent` of the records is not
    believed, one of more than `max_records` or `max_mb` is ended. Older than `usable_for_s` the mirror counts as down;
    `until_ready` says what is before the first pull.
    """

    full_every_s: float = setting(
        number(60, 31 * _DAY_S, "seconds"), float(_DAY_S), "how long after one pull of all records the next begins"
    )
    changes_every_s: float = setting(
        word_or("none", 0.0, number(5, _DAY_S, "seconds")),
        300.0,
        "how long after one pull of what has changed the next begins, where the system can list that; written out for "
        "one that cannot, it is a problem",
    )
    overlap_s: float = setting(
        number(0, _DAY_S, "seconds"),
        120.0,
        "how far a pull of changes goes back before the last one began: for clocks that differ, and for systems that "
        "show a change late",
    )
    usable_for_s: float = setting(
        number(60, 366 * _DAY_S, "seconds"), 7.0 * _DAY_S, "an index that was not pulled for so long counts as down"
    )
    page_timeout_s: float = setting(number(1, 600, "seconds"), 30.0, "how long the system has for one page")
    most_lost_percent: float = setting(
        number(1, 100, "percent"),
        50.0,
        "a pull that would lose more of the records is [not believed](#when-most-records-are-gone). 100 believes "
        "everything",
    )
    key: str = setting(
        text("a field of ours"), "id", "where a search looks that names no field, unless it is by the caller"
    )
    until_ready: Literal["down", "live"] = setting(
        choice("down", "live"),
        "down",
        "what a look-up gets while the index cannot be used: the source is down, or the system itself is asked",
    )
    max_records: int = setting(
        whole(1, 100_000_000),
        1_000_000,
        "a pull of a model that brings more is ended, and the last good records stay: its pages may never end",
    )
    max_mb: int = setting(
        whole(1, 1_000_000, "MB"), 2000, "the same for the texts of its records; the file takes two to three times that"
    )

    def check(self, section: Section, what: str) -> None:
        """Note a mirror that is too old to use most of the time: between two pulls it would count as down."""
        # With changes in between the index is as fresh as the last of them.
        if self.usable_for_s < self.full_every_s and not self.changes_every_s:
            sentence = "the mirror would be too old to use before it is pulled again"
            section.note("usable_for_s", sentence, "make 'usable_for_s' a few times 'full_every_s'")


def listing_of(settings: object, model: str) -> Listing:
    """Return what the settings of a provider say that can be listed; nothing where they do not know the question."""
    return settings.listing(model) if isinstance(settings, Listable) else ""


def check_listing(section: Section, provider: str, listings: Mapping[str, Listing]) -> None:
    """Note that `mirror` asks for what the provider cannot list. One model that it lists is enough."""
    if listings and not any(listings.values()):
        sentence = f"the provider '{provider}' cannot list its records, so they cannot be mirrored"
        section.note("mirror", sentence, "remove 'mirror'; routes can keep answers with 'cache'")
    mirror = section.section("mirror")
    asked = mirror is not None and mirror.has("changes_every_s") and mirror.text("changes_every_s") != "none"
    if mirror is not None and asked and "changes" not in listings.values() and "all" in listings.values():
        sentence = f"the provider '{provider}' cannot list what has changed"
        mirror.note("changes_every_s", sentence, "remove it: 'full_every_s' says how often all records are pulled")


def check_live(section: Section, mirror: MirrorSettings, unsearchable: Sequence[str]) -> None:
    """Note that a system which cannot search by numbers is to be asked live: every caller would be unknown."""
    if mirror.until_ready == "live" and unsearchable:
        sentence = (
            f"the model '{unsearchable[0]}' cannot be searched by the caller's number, so nobody can be asked live"
        )
        inside = section.section("mirror")
        (inside or section).note("until_ready", sentence, "write until_ready: down")
