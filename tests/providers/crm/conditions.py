"""Conditions of query languages, really read: what an injection would change, it changes here too."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

#: A row's columns, whose names may have dots in them, and a condition on them.
Row: TypeAlias = Mapping[str, object]
Condition: TypeAlias = Callable[[Row], bool]


class BadQuery(Exception):
    """The query cannot be read, or names what is not there: vendors answer it with status 400."""


class Reader:
    """Reads tokens. `condition` knows `and`, `or` and brackets; `compare` reads what is between them."""

    def __init__(self, text: str, token: str, compare: Callable[[Reader], Condition]) -> None:
        self.tokens = [found[0] for found in re.finditer(rf"\s*({token})\s*", text)]
        if "".join(self.tokens) != text:
            raise BadQuery(text)
        self.tokens = [one.strip() for one in self.tokens]
        self.compare = compare

    def peek(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def take(self, *wanted: str) -> str:
        """Take the next token, which must be one of the wanted ones where any are named."""
        token = self.tokens.pop(0) if self.tokens else ""
        if not token or (wanted and token.upper() not in wanted):
            raise BadQuery(f"{token!r} is not one of {wanted}")
        return token

    def many(self, between: str = ",") -> list[str]:
        found = [self.take()]
        while self.peek() == between:
            self.take()
            found.append(self.take())
        return found

    def condition(self) -> Condition:
        sides = [self._all()]
        while self.peek().upper() == "OR":
            self.take()
            sides.append(self._all())
        return sides[0] if len(sides) == 1 else lambda row: any(side(row) for side in sides)

    def _all(self) -> Condition:
        sides = [self._one()]
        while self.peek().upper() == "AND":
            self.take()
            sides.append(self._one())
        return sides[0] if len(sides) == 1 else lambda row: all(side(row) for side in sides)

    def _one(self) -> Condition:
        if self.peek() != "(":
            return self.compare(self)
        self.take()
        found = self.condition()
        self.take(")")
        return found


def like(value: object, pattern: str, escape: str = "\\") -> bool:
    """SQL's LIKE, whatever the case: `%` is any text, `_` any sign, and `escape` makes either itself."""
    found, signs = "", iter(pattern)
    for sign in signs:
        if sign == escape and escape:
            found += re.escape(next(signs, ""))
        else:
            found += {"%": ".*", "_": "."}.get(sign, re.escape(sign))
    return value is not None and re.fullmatch(found, str(value), re.I | re.S) is not None


def column(row: Row, name: str) -> object:
    """A column of a row; one that is not there is the asker's fault."""
    if name not in row:
        raise BadQuery(f"no such column: {name}")
    return row[name]


def chosen(row: Row, names: Sequence[str]) -> dict[str, object]:
    """The columns that were asked for. `Account.Name` lies within `Account`, which is null without an account."""
    found: dict[str, object] = {}
    for name in names:
        value, (first, *rest) = column(row, name), name.split(".")
        if not rest:
            found[first] = value
        elif value is None:
            found.setdefault(first, None)
        else:
            inside = found[first] = found.get(first) or {}
            assert isinstance(inside, dict)
            inside[rest[0]] = value
    return found
