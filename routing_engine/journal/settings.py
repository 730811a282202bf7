"""`journal` of engine.yaml. Every key has a default, and without the key a journal is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, cast

import yaml

from routing_engine.settings.paths import state_folder
from routing_engine.settings.yaml_reader import Section

Mode: TypeAlias = Literal["masked", "plain", "hashed"]

#: Where it lies without `path`: beside the configuration, or where a system keeps what services write.
#: A key that is shorter can be found by trying.
SHORTEST_KEY = 16


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """What is kept, and how.

    `kept` False keeps none. `path` "" is the default of `journal_path`. `key` makes numbers findable that are not kept
    plain ("" has none). Older than `keep_days`, or more than `max_mb` on the disk: the oldest calls go.
    """

    kept: bool = True
    path: str = ""
    numbers: Mode = "masked"
    key: str = field(default="", repr=False)
    keep_days: int = 90
    max_mb: int = 2000


def read_journal(engine: Section | None) -> JournalSettings:
    """Take `journal` from engine.yaml (None is its absence): `none` keeps none. Every problem is noted."""
    node = None if engine is None else engine.take("journal")
    if engine is None or node is None:
        return JournalSettings()
    if isinstance(node, yaml.ScalarNode) and node.value == "none":
        return JournalSettings(kept=False)
    section = engine.section("journal")
    if section is None:
        return JournalSettings()
    found = JournalSettings(
        path=_read_path(section),
        numbers=cast(Mode, section.choice("numbers", ("masked", "plain", "hashed"), "masked")),
        key=_read_key(section),
        keep_days=section.whole("keep_days", 90, 1, 3650),
        max_mb=section.whole("max_mb", 2000, 10, 1_000_000),
    )
    if found.numbers == "hashed" and not section.has("key"):
        section.note("numbers", "'hashed' needs a key", "add for example: key: '${JOURNAL_KEY}'")
    section.close("'journal'")
    return found


def _read_path(section: Section) -> str:
    path = section.text("path")
    if "\0" in path or path.endswith("/"):
        section.note("path", "'path' must name a file", "write for example: /var/lib/routing-engine/journal.db")
        return ""
    return path


def _read_key(section: Section) -> str:
    known = len(section.notes.problems)
    key = section.secret("key")
    if section.has("key") and len(key) < SHORTEST_KEY and len(section.notes.problems) == known:
        section.note("key", f"the key has fewer than {SHORTEST_KEY} characters", "make one with: openssl rand -hex 32")
        return ""
    return key


def journal_path(settings: JournalSettings, folder: Path) -> Path:
    """Return the journal's file. `folder` is the configuration's: a relative path begins there.

    By default it is `journal.db` in `state.state_folder`.
    """
    if settings.path:
        return folder / settings.path
    return state_folder(folder) / "journal.db"
