"""What `routing-engine calendar` has switched: `state/calendars.yaml`, read and written.

The file is no part of what an operator writes, so nothing in it makes a configuration unusable: what cannot be used
is left out, with a remark.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from routing_engine.config.folder import STATE, UnreadableFile
from routing_engine.core.calendar import Override
from routing_engine.errors import Problem
from routing_engine.settings.yaml_reader import Problems, Section, as_yaml, read_yaml, suggest
from routing_engine.storage.files import locked, make_folder, replace_file

OVERRIDES = f"{STATE}/calendars.yaml"
_STATES: tuple[Literal["open", "closed"], ...] = ("open", "closed")
_REMEDY = "switch it anew with 'routing-engine calendar'"
_HEAD = "# Written by 'routing-engine calendar'. An entry counts from 'since' to 'until'.\n"


def read_overrides(
    text: str | UnreadableFile | None, names: Collection[str]
) -> tuple[Mapping[str, tuple[Override, ...]], tuple[Problem, ...]]:
    """Return the overrides by calendar, and remarks about what was left out. `names` are the calendars there are."""
    notes = Problems(OVERRIDES)
    found: dict[str, tuple[Override, ...]] = {}
    for name, override, line in _entries(text, notes):
        if name in names:
            found[name] = (*found.get(name, ()), override)
        else:
            notes.note(line, f"there is no calendar '{name[:80]}': its override is left out", suggest(name, names))
    return found, tuple(notes.problems)


def _entries(text: str | UnreadableFile | None, notes: Problems) -> Iterator[tuple[str, Override, int]]:
    if text is None:
        return
    if isinstance(text, UnreadableFile):
        notes.note(0, text.why, text.remedy)
        return
    top = read_yaml(text, notes)
    written = top.value("overrides") if top is not None else None
    found = [] if written is None else [value.called("an override").section() for value in written.entries()]
    for entry in (section for section in found if section is not None):
        override = _read_entry(entry)
        if override is not None:
            yield entry.text("name"), override, entry.line


def _read_entry(entry: Section) -> Override | None:
    name, written = entry.text("name"), entry.text("state")
    state: Literal["open", "closed"] | None = next((one for one in _STATES if one == written), None)
    since, until = _moment(entry.text("since")), _moment(entry.text("until"))
    # Left out with a remark: a file that commands write must never make a configuration unusable.
    if not name or state is None or since is None or until is None or since >= until:
        entry.notes.note(entry.line, "this override cannot be read and is left out", _REMEDY)
        return None
    return Override(state, since, until)


def _moment(text: str) -> datetime | None:
    """Return a moment in UTC; None for what is none, has no zone, or is so far away that no zone can show it."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo is not None and 1970 <= found.year < 9999 else None


def write_override(folder: Path, name: str, override: Override | None, now: datetime) -> None:
    """Put an override of one calendar into force, or none; what has run out is removed. Raises `OSError`."""
    path = folder / OVERRIDES
    make_folder(path.parent, 0o755, exact=True)  # the service's user must look into it, whatever root's umask
    with locked(path.parent):
        kept = [
            entry for entry in _entries(_text(path), Problems(OVERRIDES)) if entry[1].until > now and entry[0] != name
        ]
        lines = [_as_entry(one, kept_override) for one, kept_override, _ in kept]
        lines += [] if override is None else [_as_entry(name, override)]
        text = _HEAD + as_yaml({"overrides": lines})
        replace_file(path, text.encode(), 0o644)


def _as_entry(name: str, override: Override) -> dict[str, str]:
    since, until = override.since.isoformat(timespec="seconds"), override.until.isoformat(timespec="seconds")
    return {"name": name, "state": override.state, "since": since, "until": until}


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
