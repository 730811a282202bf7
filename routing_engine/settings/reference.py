"""The tables of the reference, made from the keys: they stand in docs/reference between two marks.

<!-- keys of config.engine_yaml:EngineSettings -->
...
<!-- end of keys -->
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from importlib import import_module
from inspect import get_annotations
from typing import TYPE_CHECKING

from routing_engine.settings.spec import Key, keys_of

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

#: How many columns a row may have: tables cannot be wrapped.
LONGEST = 160
_BELOW = "see below"
_MARKED = re.compile(r"(<!-- keys of ([a-z_.]+):(\w+) -->\n).*?(<!-- end of keys -->)", re.S)


def table_of(section: type[DataclassInstance]) -> str:
    """Return the table of a section in Markdown; the column of reloads is there when any key says something of it.

    What a row of `LONGEST` columns does not hold follows as a list below the table. Keys that the section inherits
    stand in the table of where they come from.
    """
    own = get_annotations(section)
    keys = [key for key in keys_of(section) if not key.later and key.attribute in own]
    heads = ["key", "type", "default", "meaning", *(["in force after"] if any(key.in_force for key in keys) else [])]
    rows, notes = [heads, ["---"] * len(heads)], list[str]()
    for key in keys:
        cells, note = _fitted([*_cells(key)][: len(heads)])
        rows.append(cells)
        notes += [wrapped(f"- {cells[0]}: {note}", "  ") + "\n"] if note else []
    return "".join([*(_row(cells) for cells in rows), *(["\n", *notes] if notes else [])])


def wrapped(text: str, indent: str) -> str:
    """Return a text in lines of at most 125 columns, `indent` before the second. Code is never parted."""
    whole = re.sub(r"`[^`]+`|\]\([^)]+\)", lambda found: found[0].replace(" ", "\0"), text)
    lines = textwrap.wrap(whole, 125, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace("\0", " ")


def _cells(key: Key) -> Iterator[str]:
    yield from (f"`{key.name}`", key.type.words, key.usual(key.default), key.means, key.in_force)


def _fitted(cells: list[str]) -> tuple[list[str], str]:
    """Return the cells of a row that is not too long, and what stands below its table: all that it means, or ""."""
    name, words, default, means, *others = cells
    first = means.partition(". ")[0]
    tries = (
        (default, means, ""),
        (default, first, means),
        (default, _BELOW, means),
        (_BELOW, _BELOW, f"{means}. By default: {default}"),
    )
    rows = [([name, words, usual, meaning, *others], note) for usual, meaning, note in tries]
    return next((row for row in rows if len(_row(row[0])) <= LONGEST), rows[-1])


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
