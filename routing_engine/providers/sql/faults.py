"""What can be wrong with a database, in words that hold nothing of what was searched, and who must act."""

from __future__ import annotations

from typing import Literal, TypeAlias

from routing_engine.errors import ProviderError, ProviderMisread, ProviderRefused, ProviderUnreachable

#: `value`: nothing is wrong, no row can have such a value. The drivers know which of their errors is which.
Fault: TypeAlias = Literal[
    "value",
    "login",
    "database",
    "rights",
    "table",
    "column",
    "function",
    "syntax",
    "types",
    "writes",
    "tls",
    "no_tls",
    "slow",
    "unreachable",
    "full",
    "starting",
    "broken",
    "changed",
    "locked",
    "no_file",
    "no_database",
    "other",
]
#: After these the connection is as good as before; all else may have left it in the middle of something.
HARMLESS = frozenset(
    {"value", "rights", "table", "column", "function", "syntax", "types", "writes", "locked", "other", "slow"}
)
_REFUSED = {
    "login": "the server refused the user or the password",
    "database": "the server has no database of this name, or the user may not use it",
    "table": "there is no such table in the database; look at 'table' or at the query",
    "column": "there is no such column in the table; look at 'fields' or at the query",
    "function": "the database has no such function, or not for columns of this type; look at the query",
    "syntax": "the database does not understand the query",
    "types": "the query compares what cannot be compared; a CAST in it may help",
    "writes": "the query would write, and may only read",
    "tls": "the server's certificate is not trusted; look at 'tls'",
    "no_tls": "the server speaks no TLS; tls: none asks it in the clear",
    "no_file": "the file of the database is not there, or the engine may not read it",
    "no_database": "the file is no SQLite database",
}
_UNREACHABLE = {
    "slow": "the query took longer than time_limit_s, and was ended",
    "unreachable": "no connection can be made",
    "full": "the server has no place for another connection",
    "starting": "the server is starting or stopping",
    "locked": "somebody else is writing to the database",
}
_AGAIN = {
    "broken": "the connection broke before the answer",
    "changed": "the table was changed since the last look-up",
}


def error_of(name: str, fault: Fault) -> ProviderError | None:
    """Return the error for a fault in the name of an integration; None when nothing is wrong."""
    if fault == "value":
        return None
    if fault == "rights":
        return ProviderRefused(f"{name}: the user may not read this table, or a column of it", theirs=True)
    if fault in _REFUSED:
        return ProviderRefused(f"{name}: {_REFUSED[fault]}")
    if fault in _UNREACHABLE:
        return ProviderUnreachable(f"{name}: {_UNREACHABLE[fault]}")
    if fault in _AGAIN:
        return ProviderUnreachable(f"{name}: {_AGAIN[fault]}", again=True)
    return ProviderMisread(f"{name}: the database answered with an error")
