"""The queries that nobody has to write: a table, its columns, and what they are searched for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from routing_engine.core.phone import Number
from routing_engine.providers.sql.statement import Kind, SqlStatement

#: SQLite has no regular expressions of its own: what people write between digits is taken out sign by sign.
_BETWEEN = ("' '", "'+'", "'-'", "'/'", "'('", "')'", "'.'", "char(160)")


def quoted(kind: Kind, name: str) -> str:
    """Return a name as an identifier; what stands between dots is quoted by itself."""
    mark = '"' if kind == "postgresql" else "`"  # SQLite takes a name in " that it does not know for a text
    return ".".join(f"{mark}{part.replace(mark, mark * 2)}{mark}" for part in name.split("."))


def digits_of(kind: Kind, column: str) -> str:
    """Return the expression for the digits of a column. The reference names the same ones, for indexes."""
    name = quoted(kind, column)
    if kind == "postgresql":
        return f"regexp_replace({name}::text, '[^0-9]', '', 'g')"
    if kind == "mysql":
        return f"regexp_replace({name}, '[^0-9]', '')"
    for sign in _BETWEEN:
        name = f"replace({name}, {sign}, '')"
    return name


@dataclass(frozen=True, slots=True)
class TableQuery:
    """A table to be searched. `columns` are what is read of it; none reads all. At most `most` rows are given."""

    kind: Kind
    table: str
    columns: tuple[str, ...]
    most: int

    def equal(self, searched: Sequence[str], values: int) -> SqlStatement:
        """Return the query for rows that have one of so many values in one of the columns."""
        return self._within([quoted(self.kind, column) for column in searched], values)

    def same_digits(self, searched: Sequence[str], values: int) -> SqlStatement:
        """Return the query for rows where the digits of one of the columns are one of so many."""
        return self._within([digits_of(self.kind, column) for column in searched], values)

    def holds_digits(self, searched: Sequence[str], values: int = 1) -> SqlStatement:
        """Return the query for rows where the digits of one of the columns hold these, anywhere; `values` is 1."""
        find = "strpos" if self.kind == "postgresql" else "instr"
        return self._where([[f"{find}({digits_of(self.kind, column)}, ", ") > 0"] for column in searched])

    def _within(self, expressions: Sequence[str], values: int) -> SqlStatement:
        return self._where([[f"{one} IN (", *[", "] * (values - 1), ")"] for one in expressions])

    def _where(self, tests: Sequence[Sequence[str]]) -> SqlStatement:
        names = ", ".join(quoted(self.kind, column) for column in self.columns) or "*"
        # Names from YAML, quoted; what is searched is between the parts, and never within them.
        parts = [f"SELECT {names} FROM {quoted(self.kind, self.table)} WHERE "]  # noqa: S608
        for count, test in enumerate(tests):
            parts[-1] += (" OR " if count else "") + test[0]
            parts += test[1:]
        parts[-1] += f" LIMIT {self.most}"
        return SqlStatement(tuple(parts), ("",) * (len(parts) - 1))


def spellings(number: Number, asked: str) -> list[str | None]:
    """Return how a number may stand in a column, the one asked for first; always as many, doubles are None."""
    digits = number.e164.lstrip("+")
    found = [asked, number.e164, number.national, digits, number.received, f"00{digits}"]
    return [text if text not in found[:place] else None for place, text in enumerate(found)]


def digit_spellings(number: Number) -> list[str | None]:
    """Return what digits may stand in a column for a number, `+43 (0)664` included; doubles are None."""
    digits, national = number.e164.lstrip("+"), number.national
    country = digits.removesuffix(national[1:]) if national[:1] == "0" else ""
    with_trunk = country + national if country != digits else ""
    found = [digits, national, f"00{digits}", with_trunk or digits, f"00{with_trunk or digits}"]
    return [text if text not in found[:place] else None for place, text in enumerate(found)]
