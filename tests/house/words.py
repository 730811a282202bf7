"""Figures of what people read: Markdown, YAML, and what is still to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from .source import Place, tracked

MARKDOWN_COLUMNS, YAML_COLUMNS = 160, 100
# Put together, so that this file does not find itself.
_UNDONE = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")
_NOT_WRITTEN_BY_HAND = (".lock", ".txt")


def wide_markdown(under: Path) -> list[Place]:
    """The lines of Markdown that are too long to be read, or to be compared in a diff."""
    return list(_wide(under, (".md",), MARKDOWN_COLUMNS))


def wide_yaml(under: Path) -> list[Place]:
    """The lines of YAML that are too long to be edited by hand."""
    return list(_wide(under, (".yaml", ".yml"), YAML_COLUMNS))


def undone(under: Path) -> list[Place]:
    """Every note that something is still to be done."""
    return [
        Place(path, number, line.strip()[:80])
        for path, number, line in _lines(under, lambda ending: ending not in _NOT_WRITTEN_BY_HAND)
        if _UNDONE.search(line)
    ]


#: The problem that a file of the tests must have, as one line: it is compared as it is printed.
_EXPECTED = "# expect: "


def _wide(under: Path, endings: tuple[str, ...], most: int) -> Iterator[Place]:
    for path, number, line in _lines(under, endings.__contains__):
        if len(line) > most and not line.startswith(_EXPECTED):
            yield Place(path, number, f"{len(line)} columns")


def _lines(under: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[Path, int, str]]:
    for path in tracked():
        if not wanted(path.suffix) or (path != under and under not in path.parents):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # a sound, or a file that a test reads as none
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            yield path, number, line
