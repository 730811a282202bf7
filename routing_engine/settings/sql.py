"""Where a database of somebody else's is: the keys of whatever reads one, and what is wrong with its address."""

from __future__ import annotations

import importlib.util
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias
from urllib.parse import unquote

from routing_engine.settings.spec import nested
from routing_engine.settings.tls import TlsKeys, is_this_machine, tls_context
from routing_engine.settings.value_types import ValueType, word_or
from routing_engine.settings.yaml_reader import Section

#: What speaks to it.
Kind: TypeAlias = Literal["sqlite", "postgresql", "mysql"]

_ADDRESS = re.compile(
    r"(?P<scheme>[a-z]+)://(?:(?P<user>[^@/:]+)(?P<password>:[^@/]*)?@)?"
    r"(?P<host>[A-Za-z0-9.\-_]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?/(?P<database>[^/?#]+)\Z"
)
_SERVERS: Mapping[str, tuple[Kind, int, str]] = {
    "postgresql": ("postgresql", 5432, "asyncpg"),
    "mysql": ("mysql", 3306, "asyncmy"),
    "mariadb": ("mysql", 3306, "asyncmy"),
}
_FILE = "sqlite:///"
_EXAMPLE = "postgresql://reader@db.example.com/crm"
#: A name that can be quoted: the quotes themselves are what it must not hold.
NAME = re.compile(r"[^\x00-\x1f\x7f\"`\[\].]+\Z")
SqlTls: TypeAlias = TlsKeys | Literal["none"]
SQL_TLS: ValueType[SqlTls] = word_or("none", "none", nested(TlsKeys))


@dataclass(frozen=True, slots=True)
class SqlServer:
    """Where a database server is. `tls` None speaks in the clear; `timeout_s` is for connecting, log-in included."""

    host: str
    port: int
    user: str
    database: str
    # Made anew at each reading: two readings of the same file are the same server.
    tls: ssl.SSLContext | None = field(compare=False)
    timeout_s: float


@dataclass(frozen=True, slots=True)
class SqlAddress:
    """What an administrator wrote of a database's place: the address, how TLS is spoken, how long connecting takes."""

    database: str
    tls: SqlTls | None
    timeout_s: float


def read_place(section: Section, address: SqlAddress, folder: Path) -> tuple[Kind, Path | SqlServer]:
    """Return the kind of a database and where it is; what is wrong is noted at the keys of the section."""
    # By the scheme alone: what is wrong with the rest has a sentence of its own.
    if address.database.startswith("sqlite:"):
        return _read_file(section, address, folder)
    return _read_server(section, address, folder)


def table_name(text: str) -> str:
    """Return a table's name, also `SCHEMA.NAME`. Raises `ValueError`."""
    if not all(map(NAME.match, text.split("."))):
        raise ValueError("'table' is not the name of a table")
    return text


def _read_file(section: Section, address: SqlAddress, folder: Path) -> tuple[Kind, Path]:
    # Refused rather than passed over: who writes a password believes that the file has one.
    for key in ("password", "tls", "connect_timeout_s"):
        if section.has(key):
            section.note(key, f"'{key}' does nothing with a file", "remove it")
    path = address.database.removeprefix(_FILE)
    if not address.database.startswith(_FILE) or not path:
        section.note("database", "a file is written sqlite:///NAME, with three slashes", "write sqlite:///customers.db")
        return "sqlite", Path()
    file = folder / unquote(path)
    if not file.is_file():
        section.note("database", f"the file '{path}' is not there", f"it is looked for at {file.absolute()}")
    return "sqlite", file


def _read_server(section: Section, address: SqlAddress, folder: Path) -> tuple[Kind, SqlServer]:
    """Read the address of a server. It is not repeated in a problem: a password may stand in it."""
    found = _ADDRESS.match(address.database)
    scheme, host = (found["scheme"], found["host"].strip("[]")) if found is not None else ("", "")
    tls = _context(section, address, host, folder)
    if found is None or scheme not in _SERVERS or not 0 < int(found["port"] or 1) < 65536:
        if address.database:
            remedy = f"write for example {_EXAMPLE}, mysql://... or sqlite:///customers.db"
            section.note("database", "'database' is not the address of a database", remedy)
        return "postgresql", SqlServer("", 0, "", "", None, address.timeout_s)
    if found["password"]:
        section.note("database", "a password stands in the address", "write password: '${DB_PASSWORD}' beside it")
    if not found["user"]:
        section.note("database", "the address names no user", f"write for example {_EXAMPLE}")
    kind, port, package = _SERVERS[scheme]
    # Said at reload, not on the first call.
    if importlib.util.find_spec(package) is None:
        remedy = f"install it: pip install 'routing-engine[{kind}]'"
        section.note("database", f"{scheme}:// needs the Python package {package}", remedy)
    # Names may hold @ and /: they are percent-encoded in an address.
    user, database = unquote(found["user"] or ""), unquote(found["database"])
    return kind, SqlServer(host, int(found["port"] or port), user, database, tls, address.timeout_s)


def _context(section: Section, address: SqlAddress, host: str, folder: Path) -> ssl.SSLContext | None:
    """Return how TLS is spoken; without `tls` what stays on this machine is in the clear, and all else is checked."""
    # On this machine the socket is as safe as the file; everywhere else the default must be.
    if address.tls == "none" and host and not is_this_machine(host):
        sentence = "'tls: none' speaks in the clear to another machine: the password and all records can be read"
        section.notes.remark(section.line_of("tls"), sentence, "remove it where the server speaks TLS")
    if address.tls == "none" or (address.tls is None and (not host or is_this_machine(host))):
        return None
    return tls_context(section, address.tls if isinstance(address.tls, TlsKeys) else None, folder)
