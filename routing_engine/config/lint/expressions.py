"""Regular expressions of routes as sets of texts: the part of RE2's syntax that people write."""

from __future__ import annotations

from functools import lru_cache

from routing_engine.config.lint.languages import (
    Chars,
    Edge,
    Texts,
    anchored,
    char,
    either,
    has_edge,
    many,
    seq,
)

_DIGITS = (("0", "9"),)
_WORD = (("0", "9"), ("A", "Z"), ("a", "z"))
_CLASSES = {
    "d": Chars(ranges=_DIGITS),
    "w": Chars(frozenset("_"), _WORD),
    "s": Chars(frozenset("\t\n\f\r ")),
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}
_META = frozenset("\\.+*?()|[]{}^$")
#: More repetitions make more states than anybody looks at.
_MOST_TIMES = 64


class _Unknown(Exception):
    """Syntax that is not read here: what the expression matches is not known."""


@lru_cache(maxsize=2048)
def texts_of(pattern: str) -> Texts | None:
    """Return the texts in which RE2 finds an expression; None where its syntax is not known here."""
    found = read(pattern)
    return None if found is None else anchored(found)


@lru_cache(maxsize=2048)
def read(pattern: str) -> Texts | None:
    """Return the texts that an expression itself describes, with `^` and `$` in them; None as above."""
    # The one flag that people write; RE2 has more of them.
    folded = pattern.startswith("(?i)")
    reader = _ExpressionReader(pattern[4:] if folded else pattern, folded)
    try:
        found = reader.either()
    except (_Unknown, IndexError, ValueError):
        return None
    return found if reader.at == len(reader.text) else None


class _ExpressionReader:
    """One reading of an expression, from left to right."""

    def __init__(self, text: str, folded: bool) -> None:
        self.text, self.folded, self.at = text, folded, 0

    def _sees(self, wanted: str) -> bool:
        return self.text.startswith(wanted, self.at)

    def _take(self) -> str:
        self.at += 1
        return self.text[self.at - 1]

    def either(self) -> Texts:
        parts = [self._sequence()]
        while self._sees("|"):
            self.at += 1
            parts.append(self._sequence())
        return either(*parts)

    def _sequence(self) -> Texts:
        parts = []
        while self.at < len(self.text) and not self._sees("|") and not self._sees(")"):
            parts.append(self._repeated())
        return seq(*parts)

    def _repeated(self) -> Texts:
        part = self._atom()
        while self.at < len(self.text) and (times := self._times()) is not None:
            # A repeated anchor means something only to those who wrote the engine of the expressions.
            if has_edge(part):
                raise _Unknown
            part = many(part, *times)
            if self._sees("?"):  # lazy: which text is found first makes no difference here
                self.at += 1
        return part

    def _times(self) -> tuple[int, int | None] | None:
        known: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if self.text[self.at] in known:
            return known[self._take()]
        end = self.text.find("}", self.at)
        inside = self.text[self.at + 1 : end] if self._sees("{") and end > 0 else ""
        low, comma, high = inside.partition(",")
        if not low.isdigit() or (high and not high.isdigit()):
            return None  # RE2 takes such a brace for itself
        self.at = end + 1
        least, most = int(low), int(high) if high else None if comma else int(low)
        if max(least, most or 0) > _MOST_TIMES:
            raise _Unknown
        return least, most

    def _atom(self) -> Texts:
        one = self._take()
        if one == "(":
            return self._group()
        if one == "[":
            return self._class()
        if one == ".":
            return Chars(frozenset("\n"), negated=True)
        if one in "^$":
            return Edge(one == "$")
        if one == "\\":
            return self._escape()
        if one in "*+?":
            raise _Unknown
        return self._char(one)

    def _char(self, one: str) -> Texts:
        return Chars(frozenset({one, one.lower(), one.upper()})) if self.folded else char(one)

    def _group(self) -> Texts:
        if self._sees("?"):
            end = self.text.index(">", self.at) if self._sees("?P<") else self.at + 1
            if not self._sees("?P<") and not self._sees("?:"):
                raise _Unknown
            self.at = end + 1
        found = self.either()
        if self._take() != ")":
            raise _Unknown
        return found

    def _escape(self) -> Texts:
        one = self._take()
        if one.lower() in _CLASSES:
            return _CLASSES[one] if one in _CLASSES else _not(_CLASSES[one.lower()])
        if one in "Az":
            return Edge(one == "z")
        return self._char(self._escaped(one))

    def _escaped(self, one: str) -> str:
        if one in _ESCAPES:
            return _ESCAPES[one]
        if one.isalnum():
            raise _Unknown
        return one

    def _class(self) -> Texts:
        negated = self._sees("^")
        self.at += negated
        some, ranges, first = set[str](), list[tuple[str, str]](), True
        while first or not self._sees("]"):
            first = False
            self._member(some, ranges)
        self.at += 1
        found = Chars(frozenset(some), tuple(ranges))
        return _not(found) if negated else found

    def _member(self, some: set[str], ranges: list[tuple[str, str]]) -> None:
        if self._sees("[:"):
            raise _Unknown
        one = self._take()
        if one == "\\":
            one = self._take()
            if one in _CLASSES:
                some.update(_CLASSES[one].some)
                ranges.extend(_CLASSES[one].ranges)
                return
            one = self._escaped(one)
        if self._sees("-") and not self.text.startswith("-]", self.at):
            self.at += 1
            high = self._take()
            self._range(one, self._escaped(self._take()) if high == "\\" else high, ranges)
        else:
            some.update({one, one.lower(), one.upper()} if self.folded else {one})

    def _range(self, low: str, high: str, ranges: list[tuple[str, str]]) -> None:
        ranges.append((low, high))
        if self.folded:
            if not (low.isalpha() and high.isalpha()) and not (low + high).isdigit():
                raise _Unknown
            ranges += [(low.lower(), high.lower()), (low.upper(), high.upper())]


def _not(chars: Chars) -> Texts:
    return Chars(chars.some, chars.ranges, not chars.negated)
