"""`users` and `groups`: who takes calls, passwords, who is who in a CRM, and who did what."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from routing_engine.storage import people_table
from routing_engine.storage.connector import Connector
from routing_engine.storage.place import DatabasePlace
from routing_engine.web.passwords import is_right
from tests.cli.conftest import Run

pytestmark = pytest.mark.io

PASSWORD = "correct horse battery"
USERS = """# who takes calls
anna:  # sales
  name: Anna Gruber
  # her desk
  email: anna@example.com
bert: {name: Bert Huber, phones: [main/202, main/202-web]}
carl: {name: Carl, email: carl@example.com, crm: {crm: '9'}}
dora: {name: Dora, email: dora@example.com}
eva: {name: Eva, email: anna@example.com, group: night}
"""
ACME = """
title: Acme CRM
settings: {site: {example: 'http://127.0.0.1:1'}}
address: '{settings.site}'
auth: {key: {needs: {token: secret}, headers: {Authorization: 'Bearer {auth.token}'}}}
models: {contact: {object: people, fields: {id: id, name: name, phone: phone}, numbers: [phone]}}
find_by_phone: [{get: /people, query: {phone: '{number.e164}'}}]
log_call: [{post: /calls, json: {title: '{call.subject}'}, capture: {crm_id: id}}]
find_user:
  - {get: /users, query: {email: '{user.email}'}, when: {user.email: any}, id: id, same: {email: '{user.email}'}}
  - {get: /users, query: {ext: '{user.extension}'}, when: {user.extension: any}, id: id}
"""
PEOPLE = {"email=anna@example.com": ["5"], "ext=202": ["6"], "email=carl@example.com": ["9"]}


class AcmeUsers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        asked = "&".join(f"{name}={value}" for name, value in query.items())
        rows = [{"id": one, "email": query.get("email", "")} for one in PEOPLE.get(asked, [])]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(rows).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def people(config: Path) -> Path:
    (config / "users.yaml").write_text(USERS.replace("bert: {name: Bert Huber, phones: [main/202, main/202-web]}", ""))
    (config / "groups.yaml").write_text("default: {models: {}}\n")
    return config


@pytest.fixture
def acme(config: Path) -> Iterator[Path]:
    with HTTPServer(("127.0.0.1", 0), AcmeUsers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        for folder in ("providers", "pbxs"):
            (config / folder).mkdir(exist_ok=True)
        (config / "providers" / "acme.yaml").write_text(ACME)
        (config / "key").write_text("s3cr3t-word")
        (config / "key").chmod(0o600)
        text = f"provider: acme\nsite: http://127.0.0.1:{server.server_port}\nauth: {{key: {{file: key}}}}\n"
        (config / "integrations" / "crm.yaml").write_text(text)
        ami = "ami: {address: 127.0.0.1:1, user: e, secret: {file: ../key}}\ntrunks: [PJSIP/trunk*]\n"
        (config / "pbxs" / "main.yaml").write_text(ami.replace("../key", "key"))
        (config / "users.yaml").write_text(USERS)
        yield config
        server.shutdown()
        thread.join()


def in_database(config: Path) -> Connector:
    return Connector(DatabasePlace(config / "state" / "calls.db"))


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


# Passwords


def test_a_password_is_kept_as_a_hash_and_its_setting_noted(
    run: Run, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (people / "integrations" / "crm.yaml").unlink(missing_ok=True)
    (people / "users.yaml").write_text("anna: {name: Anna Gruber}\n")
    typed(monkeypatch, PASSWORD + "\n")
    code, out, err = run("users", "password", "anna", "--stdin", "--config", str(people))
    assert (code, out) == (0, "anna has a new password, and is logged out everywhere\n"), err
    with in_database(people).transaction() as connection:
        hashed = people_table.password_of(connection, "anna")
    assert is_right(hashed, PASSWORD)
    assert hashed is not None
    assert hashed.startswith("$argon2id$")
    assert b"correct horse" not in (people / "state" / "calls.db").read_bytes()
    code, out, _ = run("users", "audit", "--json", "--config", str(people))
    (entry,) = json.loads(out)["entries"]
    assert (entry["what"], entry["about"], entry["who"].startswith("command of ")) == ("password set", "anna", True)
    code, out, _ = run("users", "--json", "--config", str(people))
    assert [(one["key"], one["password"]) for one in json.loads(out)["users"]] == [("anna", True)]


@pytest.mark.parametrize(("name", "password", "code"), [("anna", "short", 1), ("nobody", PASSWORD, 2), ("anna", "", 1)])
def test_a_password_that_cannot_be_is_refused(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch, name: str, password: str, code: int
) -> None:
    (config / "users.yaml").write_text("anna: {name: Anna}\n")
    typed(monkeypatch, password + "\n")
    assert run("users", "password", name, "--stdin", "--config", str(config))[0] == code


def test_a_password_is_taken_from_somebody_who_is_gone(run: Run, config: Path) -> None:
    with in_database(config).transaction() as connection:
        people_table.set_password(connection, "gone", "hash", 1.0, "test")
    assert run("users", "password", "gone", "--remove", "--config", str(config))[0] == 0
    with in_database(config).transaction() as connection:
        assert people_table.users_with_password(connection) == set()


def test_what_others_have_typed_does_nothing_to_the_terminal(run: Run, config: Path) -> None:
    entry = people_table.AuditEntry(1.0, "\x1b[31m", "log-in refused", "\x1b]0;x\x07")
    with in_database(config).transaction() as connection:
        partial(people_table.note, entry=entry)(connection)
    code, out, _ = run("users", "audit", "--config", str(config))
    assert (code, "\x1b" in out, "log-in refused" in out) == (0, False, True)


def test_where_there_is_nobody_it_says_so(run: Run, config: Path) -> None:
    assert run("users", "--config", str(config))[:2] == (0, "there is nobody: write users.yaml\n")


# Who is who


def test_who_is_clear_is_proposed_and_what_is_unclear_shown(run: Run, acme: Path) -> None:
    code, out, err = run("users", "match", "crm", "--json", "--config", str(acme))
    told = {one["user"]: (one["id"], one["by"], one["unclear"]) for one in json.loads(out)["users"]}
    same = "the same person there as somebody else here"
    assert (code, told) == (
        1,
        {
            "anna": ("5", "e-mail", same),
            "bert": ("6", "extension", None),
            "carl": ("9", "users.yaml", None),
            "dora": (None, None, "nobody there, or several, have this e-mail or extension"),
            "eva": ("5", "e-mail", same),
        },
    ), err
    assert (acme / "users.yaml").read_text() == USERS


def test_only_what_is_clear_is_written_and_comments_stay(run: Run, acme: Path) -> None:
    (acme / "users.yaml").write_text(USERS.replace("email: anna@example.com, group: night", "group: night"))
    before = (acme / "users.yaml").read_text()
    code, out, err = run("users", "match", "crm", "--write", "--config", str(acme))
    assert (code, "nobody there, or several" in out) == (1, True), err
    after = before.replace("  name: Anna Gruber\n", "  name: Anna Gruber\n  crm: {crm: '5'}\n")
    assert (acme / "users.yaml").read_text() == after.replace("bert: {name", "bert: {crm: {crm: '6'}, name")
    assert run("users", "match", "crm", "--write", "--config", str(acme))[2] == ""  # and there is nothing new


def test_an_id_that_differs_from_the_file_is_shown_and_left(run: Run, acme: Path) -> None:
    (acme / "users.yaml").write_text("carl: {name: Carl, email: carl@example.com, crm: {crm: '8'}}\n")
    _, out, _ = run("users", "match", "crm", "--write", "--config", str(acme))
    assert "users.yaml says 8, there it is 9" in out
    assert "'8'" in (acme / "users.yaml").read_text()


def test_an_integration_that_is_not_there_is_misuse(run: Run, config: Path) -> None:
    code, _, err = run("users", "match", "nothing", "--config", str(config))
    assert (code, "there is no integration 'nothing'" in err) == (2, True)


# Groups


def test_groups_are_shown_with_their_people_and_check_names_whom_a_removed_one_touches(run: Run, acme: Path) -> None:
    text = "default: {models: {crm.contact: [read, create]}, unknown_caller: crm.contact}\nidle: {models: {}}\n"
    (acme / "groups.yaml").write_text(text)
    code, out, err = run("groups", "--json", "--config", str(acme))
    (usual, idle) = json.loads(out)["groups"]
    assert (code, usual["models"]) == (0, {"crm.contact": ["create", "read"]}), err
    assert (usual["users"], idle["users"]) == (["anna", "bert", "carl", "dora", "eva"], [])
    _, out, _ = run("groups", "--config", str(acme))
    assert "crm.contact" in out
    _, out, err = run("check", "--config", str(acme))
    assert "users.yaml:9: there is no group 'night': in the group 'default' instead: eva" in out + err
