"""Files of a configuration folder that nobody reads: misnamed, in the wrong place, or beside the one that counts."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from pathlib import Path

from routing_engine.config.folder import ENGINE, GROUPS, ROOMS, USERS
from routing_engine.errors import Problem

_YAML = (".yaml", ".yml")
#: What people leave beside their files on purpose.
_LEFT = (".md", ".bak", ".orig", ".old", ".save", ".swp", ".disabled", ".example", ".sample", ".dist", "~")
_TOP = (*ENGINE, *USERS, *GROUPS)


def strays(folder: Path) -> Iterator[Problem]:
    """Yield a remark for every file of a folder that looks like configuration, and that nobody reads."""
    for names in (ENGINE, USERS, GROUPS):
        both = [name for name in names if (folder / name).exists()]
        for name in both[1:]:
            yield Problem(name, 0, f"this file is not read: '{both[0]}' is there too", "keep one of the two")
    for entry in _entries(folder):
        if entry.is_dir():
            yield from _in_folder(entry)
        elif entry.name not in _TOP and _is_configuration(entry.name):
            yield Problem(entry.name, 0, "this file is not read", _place_of(entry.name))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted((one for one in found if not one.name.startswith(".")), key=lambda one: one.name)
    except OSError:
        return []


def _is_configuration(name: str) -> bool:
    low = name.lower()
    return low.endswith(_YAML) or any(f"{ending}." in low and not low.endswith(_LEFT) for ending in _YAML)


def _place_of(name: str) -> str:
    # What is nearly the name of a file of ours was most likely meant to be it.
    stem, ending = os.path.splitext(name)
    near = difflib.get_close_matches(name.lower(), _TOP, n=1, cutoff=0.8)
    if near:
        return f"call it {near[0]}"
    return f"put it into routes/ or integrations/, as {stem}.yaml" if ending.lower() in _YAML else f"call it {stem}"


def _in_folder(entry: os.DirEntry[str]) -> Iterator[Problem]:
    endings = ROOMS.get(entry.name)
    if endings is None:
        yield from _in_strange_folder(entry)
        return
    for one in _entries(Path(entry.path)):
        name = f"{entry.name}/{one.name}"
        if one.is_dir():
            if any(_is_ours(inner.name, endings) for inner in _entries(Path(one.path))):
                yield Problem(name, 0, "files in folders below are not read", f"move them up into {entry.name}/")
        elif not one.name.endswith(endings) and _may_be_meant(one.name, endings):
            yield Problem(name, 0, "this file is not read: of its name", f"call it {_renamed(name, endings)}")


def _in_strange_folder(entry: os.DirEntry[str]) -> Iterator[Problem]:
    # A folder of another name may be for something else: it must look like ours, within too.
    near = difflib.get_close_matches(entry.name.lower(), ROOMS, n=1, cutoff=0.75)
    if near and any(_is_ours(one.name, ROOMS[near[0]]) for one in _entries(Path(entry.path))):
        yield Problem(f"{entry.name}/", 0, "this folder is not read", f"call it {near[0]}/")


def _is_ours(name: str, endings: tuple[str, ...]) -> bool:
    return name.lower().endswith(endings)


def _may_be_meant(name: str, endings: tuple[str, ...]) -> bool:
    low = name.lower()
    if low.endswith(_LEFT) or name.startswith(("#", "~")):
        return False
    return low.endswith((*endings, *_ALIKE.get(endings[0], ()))) or any(f"{one}." in low for one in endings)


_ALIKE = {
    ".yaml": (".json", ".yaml.txt", ".ym", ".yaml_", ".ymal", ".yml.txt"),
    ".ics": (".ical", ".ifb", ".icalendar"),
    ".txt": (".text", ".lst", ".list", ".tsv", ".xlsx"),
}


def _renamed(name: str, endings: tuple[str, ...]) -> str:
    stem, ending = os.path.splitext(name)
    if ending.lower() in (".txt", ".tsv") and stem.lower().endswith(_YAML):
        return stem
    return stem.split(".")[0] + endings[0]
