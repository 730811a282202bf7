"""The keys of the SQL provider: what is taken, and every fault with its remedy."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path
from typing import cast

import pytest

from routing_engine.providers.sql.provider import column_value
from routing_engine.providers.sql.settings import SqlSettings
from routing_engine.settings.integration import Model
from routing_engine.settings.sql import SqlServer

from .sql import problems, read

TABLE = "models: {contact: {table: customers, numbers: phone}}\n"


def settings(text: str, folder: Path = Path()) -> SqlSettings:
    connection, wrong = read(text, folder)
    assert wrong == []
    return cast(SqlSettings, connection.settings)


def server(address: str, further: str = "") -> SqlServer:
    found = settings(f"database: {address}\npassword: '${{PASSWORD}}'\n{further}{TABLE}").place
    assert isinstance(found, SqlServer)
    return found


@pytest.mark.parametrize(
    ("address", "kind", "place"),
    [
        ("postgresql://reader@db.example.com/crm", "postgresql", ("db.example.com", 5432, "reader", "crm")),
        ("postgresql://reader@[2001:db8::1]:5433/crm", "postgresql", ("2001:db8::1", 5433, "reader", "crm")),
        ("mysql://reader@localhost:3307/my%20crm", "mysql", ("localhost", 3307, "reader", "my crm")),
        ("mariadb://re%40der@127.0.0.1/crm", "mysql", ("127.0.0.1", 3306, "re@der", "crm")),
    ],
)
def test_an_address_says_where_the_database_is(address: str, kind: str, place: tuple[object, ...]) -> None:
    assert settings(f"database: {address}\n{TABLE}").kind == kind
    found = server(address)
    assert (found.host, found.port, found.user, found.database) == place


def test_what_leaves_this_machine_is_encrypted_and_checked_unless_told_otherwise() -> None:
    far, near = "postgresql://reader@db.example.com/crm", "postgresql://reader@localhost/crm"
    assert server(near).tls is None
    assert server(far, "tls: none\n").tls is None
    for found in (server(far), server(near, "tls: {verify: true}\n")):
        assert found.tls is not None
        assert found.tls.verify_mode == ssl.CERT_REQUIRED
        assert found.tls.check_hostname
    unchecked = server(far, "tls: {verify: false}\n").tls
    assert unchecked is not None
    assert unchecked.verify_mode == ssl.CERT_NONE


def test_a_file_is_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "my customers.db").touch()
    assert settings(f"database: sqlite:///my%20customers.db\n{TABLE}", tmp_path).place == tmp_path / "my customers.db"
    assert settings(f"database: sqlite:///{tmp_path}/my%20customers.db\n{TABLE}").place == tmp_path / "my customers.db"


def test_the_password_stands_in_no_repr() -> None:
    assert "ss w" not in repr(settings(f"database: mysql://reader@localhost/crm\npassword: '${{PASSWORD}}'\n{TABLE}"))


def model(text: str) -> Model:
    found, wrong = read(f"database: mysql://reader@localhost/crm\nmodels: {{contact: {{{text}}}}}\n", Path())
    assert wrong == []
    return found.models["contact"]


def test_routes_are_told_how_a_model_can_be_searched() -> None:
    by_phone, by_field = "find_by_phone: 'SELECT :e164'", "find_by_field: {number: 'SELECT :value'}"
    both = [
        model(text) for text in ("table: x", by_phone, by_field, f"{by_phone}, {by_field}", f"table: x, {by_field}")
    ]
    assert [(one.attempts, one.by_field) for one in both] == [
        (1, True), (1, False), (0, "named"), (1, "named"), (1, True)
    ]  # fmt: skip


PLACE = "database: mysql://reader@localhost/crm\n"
FAULTS = [
    (TABLE, "'database' is missing; add for example: database: postgresql://"),
    (f"database: crm\n{TABLE}", "'database' is not the address of a database"),
    (f"database: oracle://reader@db/crm\n{TABLE}", "'database' is not the address of a database"),
    (f"database: mysql://reader@db:99999/crm\n{TABLE}", "'database' is not the address of a database"),
    (f"database: mysql://reader:s3cret@localhost/crm\n{TABLE}", "a password stands in the address"),
    (f"database: mysql://localhost/crm\n{TABLE}", "the address names no user"),
    (f"database: sqlite://customers.db\n{TABLE}", "with three slashes"),
    (f"database: sqlite:///nowhere.db\n{TABLE}", "the file 'nowhere.db' is not there; it is looked for at /"),
    (f"{PLACE}password: s3cret\n{TABLE}", "holds a secret in plain text"),
    (f"{PLACE}number_match: loose\n{TABLE}", "'number_match' cannot be 'loose'"),
    (f"{PLACE}connections: 0\n{TABLE}", "'connections' must be a number from 1 to 200"),
    (f"{PLACE}models: {{contact: {{fields: {{id: id}}}}}}\n", "nothing says where the model 'contact' is"),
    (f"{PLACE}models: {{contact: }}\n", "nothing says where the model 'contact' is"),
    (f"{PLACE}models: {{contact: {{table: 'a`b'}}}}\n", "'table' is not the name of a table"),
    (f"{PLACE}models: {{contact: {{table: a, fields: {{id: $.id}}}}}}\n", "'$.id' is not the name of a column"),
    (
        f"{PLACE}models: {{contact: {{table: a, fields: {{id: {{field: 'a`'}}}}}}}}\n",
        "'a`' is not the name of a column",
    ),
    (f"{PLACE}models: {{contact: {{tabel: a}}}}\n", "the model 'contact' has no key 'tabel'"),
    (f"{PLACE}models: {{contact: {{find_by_phone: SELECT 1}}}}\n", "the query 'find_by_phone': everybody would get"),
]


@pytest.mark.parametrize(("text", "said"), FAULTS)
def test_every_fault_is_named(text: str, said: str) -> None:
    found = problems(text)
    assert any(said in one for one in found), found
    assert "s3cret" not in " ".join(found)


def test_keys_of_a_server_mean_nothing_for_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.db").touch()
    text = f"database: sqlite:///a.db\npassword: '${{PASSWORD}}'\ntls: none\nconnect_timeout_s: 1\n{TABLE}"
    assert [one.partition(": ")[2].partition(" does")[0] for one in problems(text, tmp_path)] == [
        "'password'", "'tls'", "'connect_timeout_s'"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (float("nan"), None),
        (b"Anna", "Anna"),
        (b"\xff", "ff"),
        (["a", 1], ("a", 1)),
        ("a\nb", "a b"),
        (2**70, str(2**70)),
    ],
)
def test_values_become_what_a_field_can_be(raw: object, value: object) -> None:
    assert column_value(raw) == value


@pytest.mark.parametrize(("scheme", "package"), [("postgresql", "asyncpg"), ("mysql", "asyncmy")])
def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, scheme: str, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    (found,) = problems(f"database: {scheme}://reader@localhost/crm\n{TABLE}")
    assert f"needs the Python package {package}; install it: pip install 'routing-engine[{scheme}]'" in found
