"""Where a PBX keeps its call records: the key `history` of a file of `pbxs/`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from routing_engine.settings.spec import read, refer_to, required, setting
from routing_engine.settings.sql import SQL_TLS, Kind, SqlAddress, SqlServer, SqlTls, read_place, table_name
from routing_engine.settings.tls import CONNECT_TIMEOUT, TlsKeys, authority_of
from routing_engine.settings.value_types import ZONE, ValueType, filled, parsed, secret
from routing_engine.settings.yaml_reader import Section, YamlValue

CSV_EXAMPLE = "/var/log/asterisk/cdr-csv/Master.csv"


@dataclass(frozen=True, slots=True)
class SqlHistoryKeys:
    """Call records in a table."""

    database: str = required(
        filled("address"),
        "",
        "where the table is: `mysql://`, `mariadb://`, `postgresql://` or `sqlite:///FILE`, as in "
        "[an integration](sql.md#sql)",
        example="mysql://reader@127.0.0.1/asteriskcdrdb",
    )
    password: str = setting(secret(), "", "of the user in the address")
    table: str = setting(
        parsed(table_name, "name", "write a name, or SCHEMA.NAME"), "cdr", "the table of call records, or a view of it"
    )
    timezone: ZoneInfo | None = setting(
        ZONE, None, "whose wall clock its times are", usual="UTC, which is `usegmtime=yes`", example="Europe/Vienna"
    )
    tls: SqlTls | None = setting(
        SQL_TLS.called("[mapping](integrations.md#tls), or `none`"),
        None,
        "how the server proves who it is. `none` speaks in the clear",
        usual="encrypted and checked; not for this machine",
    )
    connect_timeout_s: float = setting(CONNECT_TIMEOUT, 5.0, "how long connecting may take")


@dataclass(frozen=True, slots=True)
class SqlHistory:
    """A table of call records: where it is, and whose wall clock its times are (None: UTC).

    `proof` is what was written of TLS: two readings of the same text are the same history.
    """

    kind: Kind
    place: Path | SqlServer
    password: str = field(repr=False)
    table: str
    timezone: ZoneInfo | None
    proof: str

    @property
    def name(self) -> str:
        """The place, as people may read it."""
        if isinstance(self.place, Path):
            return f"{self.table} of {self.place}"
        return f"{self.table} of {self.place.database} at {self.place.host}"


def _read_sql(value: YamlValue, _: str) -> SqlHistory | None:
    section = value.section()
    if section is None:
        return None
    keys, folder = read(section, SqlHistoryKeys, value.what), section.notes.folder
    kind, place = read_place(section, SqlAddress(keys.database, keys.tls, keys.connect_timeout_s), folder)
    # The context itself is another one after each reading, and a PBX that has not changed is not left.
    tls = keys.tls
    proof = f"{tls.verify} {authority_of(tls, folder) or ''}" if isinstance(tls, TlsKeys) else tls or ""
    return SqlHistory(kind, place, keys.password, keys.table, keys.timezone, proof)


SQL_HISTORY: ValueType[SqlHistory] = ValueType(
    _read_sql, lambda definitions: refer_to(SqlHistoryKeys, definitions), "mapping"
)


@dataclass(frozen=True, slots=True)
class HistoryKeys:
    """What fills the gap after a lost connection: a file, or a table."""

    csv: str = setting(filled("file"), "", "what `cdr_csv` writes", example=CSV_EXAMPLE)
    sql: SqlHistory | None = setting(
        SQL_HISTORY.called("[mapping](#history-in-a-database)"),
        None,
        "a table that `cdr_adaptive_odbc`, `cdr_pgsql`, `cdr_sqlite3_custom` or a FreePBX fills",
        example="{database: 'mysql://reader@127.0.0.1/asteriskcdrdb', password: '${CDR_PASSWORD}'}",
    )

    def check(self, section: Section, what: str) -> None:
        """Note a history that is nowhere, or in two places."""
        if not section.has("csv") and not section.has("sql"):
            section.note("csv", f"nothing says where {what} is", f"add for example csv: {CSV_EXAMPLE}")
        elif section.has("csv") and section.has("sql"):
            section.note("sql", "'csv' and 'sql' are two places of one history", "keep the one that Asterisk fills")
