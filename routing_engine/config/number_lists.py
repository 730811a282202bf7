"""The lists of engine.yaml: files with numbers, each in block or allow, read into what conditions ask."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from routing_engine.config.folder import LISTS, UnreadableFile
from routing_engine.core.model import NumberList
from routing_engine.core.number_lists import CallerList, EntryFault, NumberSet, read_entry
from routing_engine.core.phone import plain_line
from routing_engine.errors import Problem
from routing_engine.settings.spec import nested, setting
from routing_engine.settings.value_types import TEXT, mapping_of, matching, one_or_more, raw
from routing_engine.settings.yaml_reader import Problems, Section, YamlValue, suggest

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\- ]{0,63}\Z")
_EXAMPLE = "lists: {callers: {block: lists/blocked.txt}}"
_SEPARATORS = ",;\t"
#: So many faults of one file are told one by one. A wrong file has as many as lines.
_TOLD = 20
#: A first row with fewer digits, and no number, is a header: `phone`, `Telefon 1`.
_DIGITS_OF_A_TYPO = 3
#: So many characters of a file are taken apart at a time: all lines of a long one at once would take as much again.
_PIECE = 1 << 16
_FILES = one_or_more(raw("a file", TEXT)).called("a file or a list of files")


@dataclass(frozen=True, slots=True)
class NumberListKeys:
    """One list as it is written: the names of its files."""

    block: tuple[YamlValue, ...] = setting(
        _FILES, (), "who is blocked", usual="nobody", example="[lists/blocked.txt, lists/reported.csv]"
    )
    allow: tuple[YamlValue, ...] = setting(
        _FILES, (), "who is allowed, whatever `block` says", usual="nobody", example="lists/allowed.txt"
    )

    def check(self, section: Section, what: str) -> None:
        """Note a list of nothing: it would say `unlisted` of everybody, for ever."""
        if not section.has("block") and not section.has("allow"):
            section.notes.note(section.line, f"{what} needs 'block', 'allow' or both", f"write for example {_EXAMPLE}")


#: `lists`, by name.
NAMED_LISTS = mapping_of(
    nested(NumberListKeys),
    "the list '{}'",
    matching(_NAME, "a list cannot be called '{}'", "begin with a letter; use a-z A-Z 0-9 - and _"),
    ("has no files", f"write for example {_EXAMPLE}"),
)


@dataclass(frozen=True, slots=True)
class _ReadFile:
    text: str
    region: str
    numbers: NumberSet
    problems: Sequence[Problem]


class KeptLists:
    """The list files of one folder, from one reading to the next: one that did not change is not read again."""

    def __init__(self) -> None:
        self._files: dict[str, _ReadFile] = {}

    def read(self, file: str, text: str, region: str) -> _ReadFile:
        """Return what a file holds."""
        kept = self._files.get(file)
        if kept is None or (kept.text, kept.region) != (text, region):
            kept = self._files[file] = _read_whole(file, text, region)
        return kept

    def forget_others(self, files: Iterable[str]) -> None:
        """Forget files that are named no more."""
        for gone in self._files.keys() - set(files):
            del self._files[gone]


def make_lists(
    written: Mapping[str, NumberListKeys],
    texts: Mapping[str, str | UnreadableFile],
    region: str,
    notes: Problems,
    kept: KeptLists | None = None,
) -> Mapping[str, NumberList]:
    """Return the lists of engine.yaml, read from the files that they name; every problem of these is noted.

    `texts` are files of the configuration by name, `lists/blocked.txt`, as the folder has them. Problems of a list file
    stand under its own name. `kept` has what files held the last time.
    """
    files = _ListFiles(texts, region, notes, KeptLists() if kept is None else kept)
    found = {name: CallerList(files.side(keys.block), files.side(keys.allow)) for name, keys in written.items()}
    files.end()
    return found


class _ListFiles:
    """The files of the folder, each read once, however many lists name it."""

    def __init__(
        self, texts: Mapping[str, str | UnreadableFile], region: str, notes: Problems, kept: KeptLists
    ) -> None:
        self._texts = {name: text for name, text in texts.items() if name.startswith(LISTS + "/")}
        self._region, self._kept = region, kept
        self._problems = notes.problems
        self._read: dict[str, NumberSet] = {}

    def side(self, names: Sequence[YamlValue]) -> NumberSet:
        """Return what `block` or `allow` names."""
        return NumberSet.together([self._numbers_of(value) for value in names])

    def end(self) -> None:
        """Forget what no list names any more."""
        self._kept.forget_others(self._read)

    def _numbers_of(self, value: YamlValue) -> NumberSet:
        """Return what a file holds; its problems, and that it is not there, are noted."""
        file = value.text()
        if file is None:
            return NumberSet()
        # Only files below lists/: a list is no way to read any file of the machine.
        if file not in self._texts:
            value.note(f"there is no file '{file[:80]}'", self._remedy(file))
            return NumberSet()
        # A file of a hundred thousand numbers may stand in several lists.
        if file not in self._read:
            self._read[file] = self._numbers_in(file, self._texts[file])
        return self._read[file]

    def _remedy(self, file: str) -> str:
        if self._texts:
            return suggest(file, self._texts)
        return f"create config/{LISTS}/NAME.txt, and write {LISTS}/NAME.txt here"

    def _numbers_in(self, file: str, text: str | UnreadableFile) -> NumberSet:
        if isinstance(text, UnreadableFile):
            self._problems.append(Problem(file, 0, text.why, text.remedy))
            return NumberSet()
        found = self._kept.read(file, text, self._region)
        self._problems += found.problems
        return found.numbers


def _read_whole(file: str, text: str, region: str) -> _ReadFile:
    faults: list[Problem] = []

    def good() -> Iterator[str]:
        for line, entry in read_file(text, region, is_csv=file.lower().endswith(".csv")):
            if isinstance(entry, str):
                yield entry
            else:
                faults.append(Problem(file, line, entry.sentence, entry.remedy))

    numbers, problems = NumberSet.of(good()), faults[:_TOLD]
    if len(faults) > _TOLD:
        sentence = f"{len(faults) - _TOLD} more lines have a fault"
        problems.append(Problem(file, faults[_TOLD].line, sentence, "correct those above, and look again"))
    return _ReadFile(text, region, numbers, problems)


def read_file(text: str, region: str, is_csv: bool) -> Iterator[tuple[int, str | EntryFault]]:
    """Return the entries of a list file, or what is wrong with them, each with its line."""
    if not is_csv:
        for line, content in enumerate(_split(text), start=1):
            if (number := plain_line(content)) is not None:
                yield line, number
            elif written := content.partition("#")[0].strip():
                yield line, read_entry(written, region)
        return
    first = True
    for line, cell in _rows(text):
        entry = cell if isinstance(cell, EntryFault) else plain_line(cell) or read_entry(cell, region)
        if not (first and isinstance(cell, str) and isinstance(entry, EntryFault) and _is_header(cell)):
            yield line, entry
        first = False


def _split(text: str) -> Iterator[str]:
    """Yield the lines of a text."""
    text, start = text.replace("\r\n", "\n").replace("\r", "\n"), 0
    while (end := text.find("\n", start + _PIECE)) >= 0:
        yield from text[start:end].split("\n")
        start = end + 1
    yield from text[start:].split("\n")


def _rows(text: str) -> Iterator[tuple[int, str | EntryFault]]:
    """Return the first column of a CSV whose separator is the one that its first row has most often."""
    head = next((cell for line in _split(text) if (cell := line.partition("#")[0].strip())), "")
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
        yield line, EntryFault("this is not CSV from here on", "look at the quotes of this row")


def _is_header(cell: str) -> bool:
    return sum(char.isdigit() for char in cell) < _DIGITS_OF_A_TYPO
