"""The tables of the reference, made from the keys: they stand in docs/reference between two marks.

<!-- keys of config.engine_yaml:EngineSettings -->
...
<!-- end of keys -->
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from routing_engine.settings.spec import Key, keys_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_MARKED = re.compile(r"(<!-- keys of ([a-z_.]+):(\w+) -->\n).*?(<!-- end of keys -->)", re.S)


def table_of(section: type[DataclassInstance]) -> str:
    """Return the table of a section in Markdown; the column of reloads is there when any key says something of it."""
    keys = [key for key in keys_of(section) if not key.later]
    heads = ["key", "type", "default", "meaning", *(["in force after"] if any(key.in_force for key in keys) else [])]
    rows = [heads, ["---"] * len(heads), *([*_cells(key)][: len(heads)] for key in keys)]
    return "".join(_row(cells) for cells in rows)


def _cells(key: Key) -> Iterator[str]:
    yield from (f"`{key.name}`", key.type.words, key.usual(key.default), key.means, key.in_force)


def _row(cells: list[str]) -> str:
    if cells[0] == "---":
        return f"|{'|'.join(cells)}|\n"
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def refreshed(page: str) -> str:
    """Return a page with every marked table made anew. Raises `ImportError` or `AttributeError` for a wrong mark."""

    def table(found: re.Match[str]) -> str:
        section = getattr(import_module(f"routing_engine.{found[2]}"), found[3])
        return f"{found[1]}\n{table_of(section)}\n{found[4]}"

    return _MARKED.sub(table, page)


def sections_of(page: str) -> list[str]:
    """Return the sections whose tables a page has, as `module:Class`."""
    return [f"{found[2]}:{found[3]}" for found in _MARKED.finditer(page)]
