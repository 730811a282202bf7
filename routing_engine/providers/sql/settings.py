"""The keys of an integration with `provider: sql`."""

from __future__ import annotations

import importlib.util
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias, cast
from urllib.parse import unquote

import yaml

from routing_engine.providers.net.address import folder_of, is_this_machine, read_context
from routing_engine.providers.sql.statement import (
    OF_A_VALUE,
    OF_THE_CALLER,
    Kind,
    SqlStatement,
    StatementFault,
    read_statement,
)
from routing_engine.settings.integration import Model
from routing_engine.settings.integration import read_models as read_common
from routing_engine.settings.yaml_reader import Section

Match: TypeAlias = Literal["exact_then_digits", "digits", "exact"]

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
_NAME = re.compile(r"[^\x00-\x1f\x7f\"`\[\].]+\Z")
_OWN = ("table", "find_by_phone", "find_by_field")


@dataclass(frozen=True, slots=True)
class SqlServer:
    """Where a database server is. `tls` None speaks in the clear; `timeout_s` is for connecting, log-in included."""

    host: str
    port: int
    user: str
    database: str
    tls: ssl.SSLContext | None
    timeout_s: float


@dataclass(frozen=True, slots=True)
class SqlModel:
    """Where the records of a model are: in `table` ("": nowhere), or what queries of the operator's own give."""

    table: str = ""
    by_phone: SqlStatement | None = None
    by_field: Mapping[str, SqlStatement] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SqlSettings:
    """What an administrator wrote about a database: `place` is its file, or its server."""

    kind: Kind
    place: Path | SqlServer
    password: str = field(repr=False)
    number_match: Match
    at_most: int
    time_limit_s: float
    connections: int
    models: Mapping[str, SqlModel]


def read_models(section: Section) -> Mapping[str, Model]:
    """Take `models` and `number_form`, with what our models have beyond those of every integration."""
    models, own = read_common(section, _OWN), section.section("models")
    return {name: _searchable(model, _model_section(own, name)) for name, model in models.items()}


def _searchable(model: Model, own: Section | None) -> Model:
    """Say how a model can be searched, so that a route which cannot be is refused when it is read."""
    if own is None or own.has("table"):
        return model
    return replace(
        model, attempts=int(own.has("find_by_phone")), by_field="named" if own.has("find_by_field") else False
    )


def _model_section(models: Section | None, name: str) -> Section | None:
    node = models.take(name) if models is not None else None
    return Section(node, models.notes) if models is not None and isinstance(node, yaml.MappingNode) else None


def read_settings(section: Section, name: str, folder: Path | None = None) -> SqlSettings:
    """Take and close all keys of a database's integration; those of every integration were taken before."""
    section.require("database", f"database: {_EXAMPLE}")
    text, place = section.plain("database"), folder_of(section, folder)
    kind, found = _read_file(section, text, place) if text.startswith("sqlite:") else _read_server(section, text, place)
    at_most = section.whole("at_most", 50, 1, 1000)
    settings = SqlSettings(
        kind,
        found,
        section.secret("password"),
        cast(Match, section.choice("number_match", ("exact_then_digits", "digits", "exact"), "exact_then_digits")),
        at_most,
        section.number("time_limit_s", 5, 0.1, 60),
        section.whole("connections", 10, 1, 200),
        _read_wheres(section, kind, at_most + 1),
    )
    section.close(f"the integration '{name}'")
    return settings


# ---------------------------------------------------------------------------------------------------- the place


def _read_file(section: Section, text: str, folder: Path) -> tuple[Kind, Path]:
    for key in ("password", "tls", "connect_timeout_s"):
        if section.take(key) is not None:
            section.note(key, f"'{key}' does nothing with a file", "remove it")
    path = text.removeprefix(_FILE)
    if not text.startswith(_FILE) or not path:
        section.note("database", "a file is written sqlite:///NAME, with three slashes", "write sqlite:///customers.db")
        return "sqlite", Path()
    file = folder / unquote(path)
    if not file.is_file():
        section.note("database", f"the file '{path}' is not there", f"it is looked for at {file.absolute()}")
    return "sqlite", file


def _read_server(section: Section, text: str, folder: Path) -> tuple[Kind, SqlServer]:
    """Read the address of a server. It is not repeated in a problem: a password may stand in it."""
    found = _ADDRESS.match(text)
    timeout_s = section.number("connect_timeout_s", 1.5, 0.05, 60)
    scheme = found["scheme"] if found is not None else ""
    host = found["host"].strip("[]") if found is not None else ""
    tls = _read_tls(section, host, folder)
    if found is None or scheme not in _SERVERS or not 0 < int(found["port"] or 1) < 65536:
        if text:
            remedy = f"write for example {_EXAMPLE}, mysql://... or sqlite:///customers.db"
            section.note("database", "'database' is no address of a database", remedy)
        return "postgresql", SqlServer("", 0, "", "", None, timeout_s)
    if found["password"]:
        section.note("database", "a password stands in the address", "write password: '${DB_PASSWORD}' beside it")
    if not found["user"]:
        section.note("database", "the address names no user", f"write for example {_EXAMPLE}")
    kind, port, package = _SERVERS[scheme]
    if importlib.util.find_spec(package) is None:
        remedy = f"install it: pip install 'routing-engine[{kind}]'"
        section.note("database", f"{scheme}:// needs the Python package {package}", remedy)
    user, database = unquote(found["user"] or ""), unquote(found["database"])
    return kind, SqlServer(host, int(found["port"] or port), user, database, tls, timeout_s)


def _read_tls(section: Section, host: str, folder: Path) -> ssl.SSLContext | None:
    """Take `tls`. Without it what stays on this machine is not encrypted, and all else is, and checked."""
    node = section.take("tls")
    if isinstance(node, yaml.ScalarNode) and node.value == "none":
        return None
    if node is None and (not host or is_this_machine(host)):
        return None
    return read_context(section, folder)


# --------------------------------------------------------------------------------------------------- the models


def _read_wheres(section: Section, kind: Kind, most: int) -> Mapping[str, SqlModel]:
    models, found = section.section("models"), dict[str, SqlModel]()
    for name in models.names() if models is not None else ():
        own = _model_section(models, name)
        if own is not None:
            found[name] = _read_where(own, name, kind, most)
        elif models is not None and not models.has(name):
            models.note(
                name, f"nothing says where the model '{name}' is", f"add for example {name}: {{table: customers}}"
            )
    return found


def _read_where(section: Section, name: str, kind: Kind, most: int) -> SqlModel:
    if not any(section.has(key) for key in _OWN):
        section.note("table", f"nothing says where the model '{name}' is", "add for example table: customers")
    table = section.text("table")
    if table and not all(map(_NAME.match, table.split("."))):
        section.note("table", "'table' is no name of a table", "write a name, or SCHEMA.NAME; a query is find_by_phone")
    _check_columns(section)
    by_phone = _read_statement(section, "find_by_phone", kind, OF_THE_CALLER, most)
    fields, by_field = section.section("find_by_field"), dict[str, SqlStatement]()
    for ours in fields.names() if fields is not None else ():
        statement = None if fields is None else _read_statement(fields, ours, kind, OF_A_VALUE, most)
        if statement is not None:
            by_field[ours] = statement
    return SqlModel(table, by_phone, by_field)


def _check_columns(section: Section) -> None:
    fields = section.section("fields")
    for ours in fields.names() if fields is not None else ():
        assert fields is not None
        node = fields.take(ours)
        inner = Section(node, section.notes) if isinstance(node, yaml.MappingNode) else None
        theirs = inner.text("field", ours) if inner is not None else fields.text(ours)
        if theirs and (not _NAME.match(theirs) or theirs.startswith("$")):
            remedy = "write a column's name; a query of your own may compute more"
            fields.note(ours, f"'{theirs[:80]}' is no name of a column", remedy)


def _read_statement(section: Section, key: str, kind: Kind, known: tuple[str, ...], most: int) -> SqlStatement | None:
    text = section.text(key)
    if not text:
        return None
    try:
        return read_statement(text, kind, known, most)
    except StatementFault as fault:
        section.note(key, f"the query '{key}': {fault.sentence}", fault.remedy)
        return None
