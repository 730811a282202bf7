"""The lists of engine.yaml: files with numbers, each in block or allow, read into what conditions ask."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping

from routing_engine.config.folder import LISTS, UnreadableFile
from routing_engine.core.model import NumberList
from routing_engine.core.number_lists import CallerList, EntryFault, NumberSet, gather, read_entry
from routing_engine.errors import Problem
from routing_engine.settings.yaml_reader import Section, section_of, suggest

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\- ]{0,63}\Z")
_EXAMPLE = "lists: {callers: {block: lists/blocked.txt}}"
_SEPARATORS = ",;\t"
#: So many faults of one file are told one by one. A wrong file has as many as lines.
_TOLD = 20
#: A first row with fewer digits, and no number, is a header: `phone`, `Telefon 1`.
_DIGITS_OF_A_TYPO = 3


def read_lists(section: Section, texts: Mapping[str, str | UnreadableFile], region: str) -> Mapping[str, NumberList]:
    """Take `lists` from engine.yaml's section, and read the files that it names.

    `texts` are files of the configuration by name, `lists/blocked.txt`, as the snapshot has them. Every problem is
    noted, those of a list file under its own name. A list with a problem is given too: routes may name it.
    """
    lists = section.section("lists")
    if lists is None:
        return {}
    files = _ListFiles(texts, region, lists)
    return {name: _read_list(lists, name, files) for name in lists.names()}


def _read_list(lists: Section, name: str, files: _ListFiles) -> NumberList:
    node = lists.take(name)
    if not _NAME.match(name):
        lists.note(name, f"a list cannot be called '{name[:80]}'", "begin with a letter; use a-z A-Z 0-9 - and _")
    if node is None:
        lists.note(name, f"the list '{name}' has no files", f"write for example {_EXAMPLE}")
        return CallerList()
    section = section_of(node, lists.notes, f"the list '{name}'")
    if section is None:
        return CallerList()
    found = CallerList(blocked=_read_side(section, "block", files), allowed=_read_side(section, "allow", files))
    section.close(f"the list '{name}'")
    if not section.has("block") and not section.has("allow"):
        lists.note(name, f"the list '{name}' needs 'block', 'allow' or both", f"write for example {_EXAMPLE}")
    return found


def _read_side(section: Section, key: str, files: _ListFiles) -> NumberSet:
    return gather(entry for file in section.texts(key) for entry in files.entries(section, key, file))


class _ListFiles:
    """The files of the folder, each read once, however many lists name it."""

    def __init__(self, texts: Mapping[str, str | UnreadableFile], region: str, lists: Section) -> None:
        self._texts = {name: text for name, text in texts.items() if name.startswith(LISTS + "/")}
        self._region = region
        self._problems = lists.notes.problems
        self._read: dict[str, frozenset[str]] = {}

    def entries(self, section: Section, key: str, file: str) -> frozenset[str]:
        """Return the entries of a file; its problems, and that it is not there, are noted."""
        if file not in self._texts:
            section.note(key, f"there is no file '{file[:80]}'", self._remedy(file))
            return frozenset()
        if file not in self._read:
            self._read[file] = self._entries(file, self._texts[file])
        return self._read[file]

    def _remedy(self, file: str) -> str:
        if self._texts:
            return suggest(file, self._texts)
        return f"create config/{LISTS}/NAME.txt, and write {LISTS}/NAME.txt here"

    def _entries(self, file: str, text: str | UnreadableFile) -> frozenset[str]:
        if isinstance(text, UnreadableFile):
            self._problems.append(Problem(file, 0, text.why, text.remedy))
            return frozenset()
        found: set[str] = set()
        faults: list[Problem] = []
        for line, entry in read_file(text, self._region, is_csv=file.lower().endswith(".csv")):
            if isinstance(entry, EntryFault):
                faults.append(Problem(file, line, entry.sentence, entry.remedy))
            else:
                found.add(entry)
        self._problems += faults[:_TOLD]
        if len(faults) > _TOLD:
            sentence = f"{len(faults) - _TOLD} more lines have a fault"
            self._problems.append(Problem(file, faults[_TOLD].line, sentence, "correct those above, and look again"))
        return frozenset(found)


def read_file(text: str, region: str, is_csv: bool) -> Iterator[tuple[int, str | EntryFault]]:
    """Return the entries of a list file, or what is wrong with them, each with its line."""
    if not is_csv:
        yield from ((line, read_entry(cell, region)) for line, cell in _lines(text))
        return
    first = True
    for line, cell in _rows(text):
        entry = cell if isinstance(cell, EntryFault) else read_entry(cell, region)
        if not (first and isinstance(cell, str) and isinstance(entry, EntryFault) and _is_header(cell)):
            yield line, entry
        first = False


def _lines(text: str) -> Iterator[tuple[int, str]]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for line, content in enumerate(lines, start=1):
        cell = content.partition("#")[0].strip()
        if cell:
            yield line, cell


def _rows(text: str) -> Iterator[tuple[int, str | EntryFault]]:
    """Return the first column of a CSV whose separator is the one that its first row has most often."""
    head = next((line for _, line in _lines(text)), "")
    rows = csv.reader(
        io.StringIO(text, newline=""), delimiter=max(_SEPARATORS, key=head.count), strict=True, skipinitialspace=True
    )
    line = 1
    try:
        for row in rows:
            cell = row[0].partition("#")[0].strip() if row else ""
            if cell:
                yield line, cell
            elif any(other.strip() for other in row) and not row[0].strip():
                yield (
                    line,
                    EntryFault("this row has no number", "put the number into the first column, or remove the row"),
                )
            line = rows.line_num + 1
    except csv.Error:
        yield line, EntryFault("this is no CSV from here on", "look at the quotes of this row")


def _is_header(cell: str) -> bool:
    return sum(char.isdigit() for char in cell) < _DIGITS_OF_A_TYPO
