"""Lists of numbers: who is blocked, who is allowed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from typing import Literal

from routing_engine.core.phone import HIDDEN_WORDS, Number, is_rounded, plain_text, read_line, without_text_mark

#: The entry that stands for every caller whose number is hidden or malformed.
ANONYMOUS = "anonymous"

_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}\*\Z", re.ASCII)
_SEPARATORS = re.compile(r"[\s\-./()]+")
#: `+4390` and `0900` are not numbers but what numbers begin with. Extensions (`100`) and `112` begin with 1 to 9.
_STUMP = re.compile(r"(\+|0)[0-9\s\-./()]*\Z", re.ASCII)
_SHORTEST = 7


@dataclass(frozen=True, slots=True)
class EntryFault:
    """Why a text is not an entry, and the remedy. It never holds the text: that may be somebody's number."""

    sentence: str
    remedy: str


_TOO_SHORT = EntryFault(
    "this is too short for a number", "for all numbers that begin so write +4390*, with the country code"
)


@dataclass(frozen=True, slots=True)
class NumberSet:
    """One side of a list: lines in E.164, beginnings of lines, and whether callers without a number belong to it."""

    lines: Set[str] = frozenset()
    prefixes: Set[str] = frozenset()
    anonymous: bool = False
    lengths: tuple[int, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> NumberSet:
        """Return those of entries, as `read_entry` returns them."""
        lines, prefixes, anonymous = set[str](), set[str](), False
        for entry in entries:
            # One set, and no copy of it: a million numbers take 130 MB so.
            if entry[0] == "a":
                anonymous = True
            elif entry[-1] == "*":
                prefixes.add(entry[:-1])
            else:
                lines.add(entry)
        return cls(lines, prefixes, anonymous, tuple(sorted({len(prefix) for prefix in prefixes})))

    @classmethod
    def together(cls, sets: Sequence[NumberSet]) -> NumberSet:
        """Return what is in any of these."""
        if len(sets) == 1:
            return sets[0]
        lines = frozenset[str]().union(*(one.lines for one in sets))
        prefixes = frozenset[str]().union(*(one.prefixes for one in sets))
        lengths = tuple(sorted({length for one in sets for length in one.lengths}))
        return cls(lines, prefixes, any(one.anonymous for one in sets), lengths)

    def hold(self, number: Number | None) -> bool:
        """Return whether a caller is among them: a look into two sets, however many there are."""
        if number is None:
            return self.anonymous
        if number.line in self.lines:
            return True
        return any(number.e164[:length] in self.prefixes for length in self.lengths)


@dataclass(frozen=True, slots=True)
class CallerList:
    """A list of numbers (`model.NumberList`): who is allowed is not blocked, whatever else is written."""

    blocked: NumberSet = field(default_factory=NumberSet)
    allowed: NumberSet = field(default_factory=NumberSet)

    def verdict(self, number: Number | None) -> Literal["allowed", "blocked", "unlisted"]:
        """Return what a caller is (None: hidden or malformed)."""
        if self.allowed.hold(number):
            return "allowed"
        return "blocked" if self.blocked.hold(number) else "unlisted"


def read_entry(text: str, region: str) -> str | EntryFault:
    """Read an entry as people write it: a number (in E.164 then), `+4390*`, or `anonymous`."""
    text = without_text_mark(plain_text(text).strip())
    line = read_line(text, region)
    if line is not None:
        return line if len(line) > _SHORTEST or not _STUMP.match(text) else _TOO_SHORT
    return _read_prefix(text) if text.endswith("*") else _read_word(text.lower())


def _read_prefix(text: str) -> str | EntryFault:
    prefix = _SEPARATORS.sub("", text.replace("(0)", ""))
    if _PREFIX.match(prefix):
        return prefix
    return EntryFault("this is not the beginning of a number", "write it with + and the country code, such as +4390*")


def _read_word(word: str) -> str | EntryFault:
    if word == ANONYMOUS:
        return ANONYMOUS
    if word in HIDDEN_WORDS:
        return EntryFault(
            "this is not a telephone number", f"write {ANONYMOUS}: it stands for every caller without a number"
        )
    if is_rounded(word):
        return EntryFault("a spreadsheet has rounded this number", "make the column a text there, and enter it again")
    return EntryFault("this is not a telephone number", "write one number on each line; put everything else behind a #")
