"""What `mirror` of an integration says: that its records are pulled into an index of our own, how often, and how old
it may be. Read here, below the rooms, because routes read it and the mirror obeys it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from routing_engine.core.ports import Listable, Listing
from routing_engine.settings.yaml_reader import Section

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """How a source is mirrored. All records every `full_every_s`, changes every `changes_every_s` (0: never).

    Each pull of changes goes back `overlap_s` before the one before it began. `key` is the field that a search looks
    in where the route names none. A full pull that would lose more than `most_lost_percent` of the records is not
    believed. Older than `usable_for_s` the mirror counts as down; `until_ready` says what is before the first pull.
    """

    full_every_s: float = float(_DAY_S)
    changes_every_s: float = 300.0
    overlap_s: float = 120.0
    usable_for_s: float = 7.0 * _DAY_S
    page_timeout_s: float = 30.0
    most_lost_percent: float = 50.0
    key: str = "id"
    until_ready: Literal["down", "live"] = "down"


def read_mirror(section: Section) -> MirrorSettings | None:
    """Take `mirror` from an integration's section; None when it is asked live."""
    mirror = section.section("mirror")
    if mirror is None:
        return None
    usual = MirrorSettings()
    found = MirrorSettings(
        full_every_s=mirror.number("full_every_s", usual.full_every_s, 60, 31 * _DAY_S),
        changes_every_s=_changes(mirror, usual.changes_every_s),
        overlap_s=mirror.number("overlap_s", usual.overlap_s, 0, _DAY_S),
        usable_for_s=mirror.number("usable_for_s", usual.usable_for_s, 60, 366 * _DAY_S),
        page_timeout_s=mirror.number("page_timeout_s", usual.page_timeout_s, 1, 600),
        most_lost_percent=mirror.number("most_lost_percent", usual.most_lost_percent, 1, 100),
        key=mirror.text("key", usual.key),
        until_ready=cast(Literal["down", "live"], mirror.choice("until_ready", ("down", "live"), usual.until_ready)),
    )
    if found.usable_for_s < found.full_every_s and not found.changes_every_s:
        sentence = "the mirror would be too old to use before it is pulled again"
        mirror.note("usable_for_s", sentence, "make 'usable_for_s' a few times 'full_every_s'")
    mirror.close("'mirror'")
    return found


def _changes(mirror: Section, usual: float) -> float:
    """Take `changes_every_s`: a number, or `none`."""
    if mirror.text("changes_every_s") == "none":
        return 0.0
    return mirror.number("changes_every_s", usual, 5, _DAY_S)


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
