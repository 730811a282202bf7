"""A name that a query uses and the database does not have: which one it is, and what there is instead.

What is said comes from the operator's YAML and from the database's own catalogue; nothing of a caller is in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from routing_engine.errors import ProviderRefused
from routing_engine.settings.sql import Kind
from routing_engine.sql.statement import SqlStatement

#: More names than that are no help to anybody.
MOST_NAMES = 40
_LONGEST = 80
_PART = r"(?:[^\W\d]\w*|\"[^\"]+\"|`[^`]+`|\[[^\]]+\])"
_NAME = re.compile(rf"{_PART}(?:\.{_PART})*")
_ENDS = r"where|group|order|having|limit|fetch|union|join|inner|left|right|full|cross|natural|on|using|window|for"
#: What stands behind FROM or JOIN: tables with commas between, each with the name that the query calls it by.
_FROM = re.compile(rf"\b(?:from|join)\s+(.*?)(?=\b(?:{_ENDS}|from|select)\b|[()]|\Z)", re.I | re.S)
_ALIAS = re.compile(rf"\s*({_NAME.pattern})(?:\s+(?:as\s+)?({_PART}))?\s*\Z", re.I)
#: How SQLite names it, and how MySQL and MariaDB do, in whatever language their server speaks.
_SQLITE = re.compile(r"no such (?:column|table|function): (\S+)")
_QUOTED = re.compile(r"'([^']+)'|FUNCTION (\S+)")
#: PostgreSQL's server speaks its operator's language: Deutsch writes »...«.
_ANY_QUOTES = re.compile(r"[\"»„«“]([^\"»„«“”]+)[\"«”“»]")


class NoSuchName(ProviderRefused):
    """A query names a table, a column or a function that is not there; `named` is "" when the database does not say."""

    def __init__(self, message: str, fault: str, named: str = "") -> None:
        super().__init__(message)
        self.fault, self.named = fault, named


def named_by_sqlite(text: str) -> str:
    """Return the name in SQLite's sentence."""
    found = _SQLITE.search(text)
    return _short(found[1]) if found else ""


def named_by_mysql(text: str) -> str:
    """Return the name in a sentence of MySQL or MariaDB."""
    found = _QUOTED.search(text)
    return _short(found[1] or found[2]) if found else ""


def named_by_postgresql(text: str, query: str, position: str) -> str:
    """Return the name that stands in the query where PostgreSQL points at, else the one in its sentence."""
    start = int(position) - 1 if position.isdecimal() else len(query)
    found = _NAME.match(query, max(0, start)) or _ANY_QUOTES.search(text)
    return "" if found is None else _short(found[found.re.groups])


def _short(name: str) -> str:
    return name.strip("\"`'")[:_LONGEST]


def tables_of(statement: SqlStatement, named: str = "") -> list[str]:
    """Return the tables that a query reads, as they are written there; of `c.phone` the one that is called `c`."""
    # What is bound stands between the parts, and is never a table's name.
    text = " ? ".join(statement.parts)
    found: dict[str, str] = {}
    for behind in _FROM.findall(text):
        for one in behind.split(","):
            if (table := _ALIAS.match(one)) is not None:
                found[_bare(table[2] or table[1])] = table[1]
    called = _bare(named.rpartition(".")[0]) if "." in named else ""
    return [found[called]] if called in found else list(dict.fromkeys(found.values()))


def _bare(name: str) -> str:
    return name.rpartition(".")[2].strip('"`[]').casefold()


def nothing_of(table: str) -> SqlStatement:
    """Return the query that gives no row of a table, written as in YAML, and tells which columns it has."""
    return SqlStatement((f"SELECT * FROM {table} WHERE 1 = 0",), ())  # noqa: S608  a name of `tables_of`


def every_table(kind: Kind) -> SqlStatement:
    """Return the query for the tables and views that this user sees."""
    if kind == "sqlite":
        where = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
    elif kind == "mysql":
        where = "SELECT table_name FROM information_schema.tables WHERE table_schema = database()"
    else:
        where = (
            "SELECT CASE WHEN table_schema = current_schema() THEN table_name::text "
            "ELSE table_schema || '.' || table_name END FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
    return SqlStatement((f"{where} ORDER BY 1 LIMIT {MOST_NAMES + 1}",), ())


def listed(names: Sequence[str]) -> str:
    """Return names as people read them; not more than help."""
    shown = ", ".join(names[:MOST_NAMES])
    return f"{shown} and more" if len(names) > MOST_NAMES else shown or "none that this user may see"
