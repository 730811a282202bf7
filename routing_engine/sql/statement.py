"""An operator's own query: text in, a statement with bound parameters out, or what is wrong with it.

No SQL is understood here beyond its words, quotes and brackets: the database itself reads the rest, and lets nothing
write. What is refused would let a caller's value be more than a value, or is a slip that would show on a call only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from routing_engine.core.phone import LAST_FEWEST, LAST_MOST, PHONE_FORMATS, Number
from routing_engine.settings.sql import Kind
from routing_engine.settings.yaml_reader import suggest

#: What a query may hold of the caller, and of a value that is searched in a field.
OF_THE_CALLER: tuple[str, ...] = ("number", *PHONE_FORMATS)
OF_THE_CALLER += tuple(f"last{count}" for count in range(LAST_FEWEST, LAST_MOST + 1))  # another way to write last_8
OF_A_VALUE = ("value", *OF_THE_CALLER)

_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "INTO", "CALL", "ATTACH", "PRAGMA"})
_PATTERNS = frozenset({"LIKE", "ILIKE", "SIMILAR", "GLOB", "REGEXP", "RLIKE", "MATCH", "REGEXP_LIKE"})
#: Words behind which a value is no pattern any more.
_ENDS_PATTERN = frozenset({"AND", "OR", "WHERE", "ORDER", "GROUP", "HAVING", "LIMIT", "UNION", "THEN", "ELSE"})
_INSTEAD = {"sqlite": "instr(COLUMN, :value) > 0", "postgresql": "strpos(COLUMN, :value) > 0"}
_INSTEAD["mysql"] = _INSTEAD["sqlite"]
_EXAMPLE = "write one SELECT, for example SELECT id, name FROM customers WHERE phone = :e164"

_QUOTED = r"\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`"
#: In MySQL a backslash escapes the quote behind it; elsewhere only in PostgreSQL's E'...'.
_TEXTS: dict[Kind, str] = {
    "sqlite": rf"'(?:[^']|'')*'|{_QUOTED}|\[[^\]]*\]",
    "postgresql": rf"[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|{_QUOTED}|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$",
    "mysql": r"'(?:[^'\\]|''|\\.)*'|\"(?:[^\"\\]|\"\"|\\.)*\"|`(?:[^`]|``)*`",
}
_REST = (
    r"(?P<comment>--|/\*)|(?P<cast>::)|:(?P<name>[A-Za-z_]\w*)|(?P<word>[A-Za-z_]\w*)|(?P<place>\$[0-9])|(?P<sign>.)"
)
_TOKENS = {kind: re.compile(rf"(?P<text>{texts})|{_REST}", re.S) for kind, texts in _TEXTS.items()}


class StatementFault(ValueError):
    """What is wrong with a query, and what to do."""

    def __init__(self, sentence: str, remedy: str) -> None:
        super().__init__(sentence)
        self.sentence, self.remedy = sentence, remedy


@dataclass(frozen=True, slots=True)
class SqlStatement:
    """A query around its parameters: one part more than there are `names` (those of simple queries have none)."""

    parts: tuple[str, ...]
    names: tuple[str, ...]

    def text(self, mark: Callable[[int], str] = lambda _: "?") -> str:
        """Return the query; `mark` says how the database marks its parameters, counted from 1."""
        marked = (part + mark(count) for count, part in enumerate(self.parts[:-1], start=1))
        return "".join(marked) + self.parts[-1]

    def explained(self) -> SqlStatement:
        """Return the query that tells how this one would run: tables, columns and rights are looked at, no row is."""
        return SqlStatement((f"EXPLAIN {self.parts[0]}", *self.parts[1:]), self.names)


def read_statement(text: str, kind: Kind, known: Collection[str], most: int) -> SqlStatement:
    """Read a query whose parameters are among `known`; it gives at most `most` rows where it says no number itself.

    Raises `StatementFault`.
    """
    # Text and parameters alternate: what is bound can never become text.
    parts, names, words, pattern = [""], list[str](), list[str](), False
    for token in _tokens(text.strip().removesuffix(";"), kind, known):
        if token.lastgroup == "name":
            if pattern and token["name"] == "value":
                raise StatementFault(
                    "the caller's % and _ would be wildcards in LIKE", f"write = :value, or {_INSTEAD[kind]}"
                )
            names.append(token["name"])
            parts.append("")
            continue
        parts[-1] += token[0]
        if token.lastgroup == "word":
            words.append(token[0].upper())
            # LIKE reaches to the next word that ends a comparison: `LIKE CONCAT('%', :value)` is one too.
            pattern = words[-1] in _PATTERNS or (pattern and words[-1] not in _ENDS_PATTERN)
        elif token[0] == "~" and kind == "postgresql":
            pattern = True
    _check(words, names, known)
    if "LIMIT" not in words and "FETCH" not in words:
        parts[-1] += f"\nLIMIT {most}"
    return SqlStatement(tuple(parts), tuple(names))


def _tokens(text: str, kind: Kind, known: Collection[str]) -> Iterator[re.Match[str]]:
    for token in _TOKENS[kind].finditer(text):
        group, written = token.lastgroup, token[0]
        if group == "name" and token["name"] not in known:
            raise StatementFault(f"':{token['name']}' is not a parameter here", suggest(token["name"], tuple(known)))
        if group == "comment" or (written == "#" and kind == "mysql"):
            raise StatementFault("a query holds no comments", "write them behind a # of YAML, above the key")
        if written == ";":
            raise StatementFault("there is more than one statement", _EXAMPLE)
        if written in ("'", '"', "`"):
            raise StatementFault("a quote is not closed", f"look at each {written} of it")
        if group == "place" or (written == "?" and kind != "postgresql"):
            raise StatementFault(f"'{written}' is a parameter without a name", f"write :{next(iter(known))}")
        if group == "text" and ":" in written and written[1:-1].lstrip("%").rstrip("%").removeprefix(":") in known:
            raise StatementFault("a parameter within quotes is a text like any other", "write it without quotes")
        yield token


def _check(words: list[str], names: list[str], known: Collection[str]) -> None:
    if not words or words[0] not in ("SELECT", "WITH"):
        raise StatementFault("a query begins with SELECT or WITH", _EXAMPLE)
    writes = next((word for word in words if word in _WRITES), "")
    if writes:
        remedy = f"put a column of that name in quotes; else {_EXAMPLE}"
        raise StatementFault(f"a query only reads, and '{writes}' does not", remedy)
    needed = "value" if "value" in known else ""
    if not names or (needed and needed not in names):
        raise StatementFault(
            "everybody would get the same rows: what is searched does not stand in it",
            f"write for example WHERE COLUMN = :{needed or 'e164'}",
        )


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

    def nothing(self) -> SqlStatement:
        """Return the query that gives no row, and tells by its answer which columns there are."""
        return self._where([["1 = 0"]])

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
