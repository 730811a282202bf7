"""The keys of an integration with `provider: sql`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from routing_engine.core.bounds import MOST_RECORDS
from routing_engine.providers.kind import ProviderKind, late
from routing_engine.settings.integration import IntegrationKeys, Model, ModelKeys, folder_of, models_of
from routing_engine.settings.spec import nested, read, required, setting
from routing_engine.settings.sql import NAME, SQL_TLS, Kind, SqlAddress, SqlServer, SqlTls, read_place, table_name
from routing_engine.settings.tls import CONNECT_TIMEOUT, CONNECT_TIMEOUT_S
from routing_engine.settings.value_types import (
    TEXT,
    choice,
    filled,
    mapping_of,
    number,
    parsed,
    raw,
    secret,
    whole,
)
from routing_engine.settings.yaml_reader import Section, YamlValue
from routing_engine.sql.statement import (
    OF_A_VALUE,
    OF_THE_CALLER,
    SqlStatement,
    StatementFault,
    read_statement,
)

Match: TypeAlias = Literal["exact_then_digits", "digits", "exact"]

_OWN = ("table", "find_by_phone", "find_by_field")


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


_QUERY = raw("[query](#queries-of-your-own)", TEXT)


@dataclass(frozen=True, slots=True)
class SqlModelKeys(ModelKeys):
    """One data model of a database: its table, or queries of the operator's own."""

    table: str = setting(
        parsed(table_name, "name", "write a name, or SCHEMA.NAME; a query is find_by_phone"),
        "",
        "the table or view that is searched, also `SCHEMA.NAME`",
    )
    find_by_phone: YamlValue | None = setting(_QUERY, None, "a search by the caller", usual="made from `table`")
    find_by_field: Mapping[str, YamlValue] = setting(
        mapping_of(_QUERY, "the query '{}'").called("mapping, field of ours to [query](#queries-of-your-own)"),
        {},
        "searches by anything else, by the `field` of the route's search",
        usual="made from `table`",
    )

    def check(self, section: Section, what: str) -> None:
        """Note a model that is nowhere, and fields that are no columns."""
        ModelKeys.check(self, section, what)
        # Written, though wrong, is somewhere: its own problem has been noted.
        if not any(section.has(key) for key in _OWN):
            section.note("table", f"nothing says where {what} is", "add for example table: customers")
        fields = section.section("fields")
        for ours, one in self.fields.items():
            theirs = one.field or ours
            if fields is not None and (not NAME.match(theirs) or theirs.startswith("$")):
                remedy = "write a column's name; a query of your own may compute more"
                fields.note(ours, f"'{theirs[:80]}' is not the name of a column", remedy)


@dataclass(frozen=True, slots=True)
class SqlKeys(IntegrationKeys):
    """An integration with `provider: sql`."""

    models: Mapping[str, SqlModelKeys] = required(
        mapping_of(nested(SqlModelKeys), "the model '{}'", bare=SqlModelKeys()).called(
            "mapping, name to [model](#keys-of-a-model)"
        ),
        {},
        "the data models that routes search",
        example="{contact: {table: customers}}",
    )
    database: str = required(
        filled("address"), "", "where the database is, see below", example="postgresql://reader@db.example.com/crm"
    )
    password: str = setting(secret(), "", "of the user in the address")
    tls: SqlTls | None = setting(
        SQL_TLS.called("[mapping](integrations.md#tls), or `none`"),
        None,
        "how the server proves who it is. `none` speaks in the clear",
        usual="encrypted and checked; not for this machine",
    )
    number_match: Match = setting(
        choice("exact_then_digits", "digits", "exact"),
        "exact_then_digits",
        "[how a caller's number is searched](#numbers) in a `table`",
    )
    at_most: int = setting(whole(1, MOST_RECORDS, "rows"), 50, "so many of one search")
    time_limit_s: float = setting(
        number(0.1, 60, "seconds"),
        5.0,
        "that a query may take; then the database ends it. What bounds the whole is the source's `timeout_s`",
    )
    connect_timeout_s: float = setting(
        CONNECT_TIMEOUT, CONNECT_TIMEOUT_S, "how long connecting may take, TLS and log-in included"
    )
    connections: int = setting(
        whole(1, 200),
        10,
        "so many at a time. They are kept; a look-up that finds none free waits, within its source's time",
    )

    def check(self, section: Section, what: str) -> None:
        """Note a model that has nothing below it."""
        IntegrationKeys.check(self, section, what)
        models = section.section("models")
        for name in self.models:
            if models is not None and not models.has(name):
                remedy = f"add for example {name}: {{table: customers}}"
                models.note(name, f"nothing says where the model '{name}' is", remedy)


def read_models(section: Section) -> Mapping[str, Model]:
    """Read `models` and `number_form`, and how each model can be searched: a route that cannot be is refused."""
    keys = read(section, SqlKeys, "the integration", only=("models", "number_form"))
    return {name: _searchable(model, keys.models[name]) for name, model in models_of(keys).items()}


def _searchable(model: Model, own: SqlModelKeys) -> Model:
    # A table can be searched in every way; own queries only in those that were written.
    if own.table or (own.find_by_phone is None and not own.find_by_field):
        return model
    return replace(model, attempts=int(own.find_by_phone is not None), by_field="named" if own.find_by_field else False)


def read_settings(section: Section, name: str, folder: Path | None = None) -> SqlSettings:
    """Read an integration's file whole."""
    keys = read(section, SqlKeys, f"the integration '{name}'")
    address = SqlAddress(keys.database, keys.tls, keys.connect_timeout_s)
    kind, found = read_place(section, address, folder_of(section, folder))
    return SqlSettings(
        kind,
        found,
        keys.password,
        keys.number_match,
        keys.at_most,
        keys.time_limit_s,
        keys.connections,
        {model: _queries(own, kind, keys.at_most + 1) for model, own in keys.models.items()},
    )


# --------------------------------------------------------------------------------------------------- the models


def _queries(keys: SqlModelKeys, kind: Kind, most: int) -> SqlModel:
    by_phone = None if keys.find_by_phone is None else _statement(keys.find_by_phone, kind, OF_THE_CALLER, most)
    by_field = {ours: _statement(value, kind, OF_A_VALUE, most) for ours, value in keys.find_by_field.items()}
    return SqlModel(keys.table, by_phone, {ours: one for ours, one in by_field.items() if one is not None})


def _statement(value: YamlValue, kind: Kind, known: tuple[str, ...], most: int) -> SqlStatement | None:
    text = value.text()
    if not text:
        return None
    try:
        return read_statement(text, kind, known, most)
    except StatementFault as fault:
        called = value.what if value.what.startswith("the query") else f"the query {value.what}"
        value.note(f"{called}: {fault.sentence}", fault.remedy)
        return None


KIND = ProviderKind(read_settings, late("sql.provider:open_sql"), read_models, keys=SqlKeys)
