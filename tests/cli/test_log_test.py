"""`integrations log-test`, with a CRM of one's own that is described in config/providers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.io

ACME = """
title: Acme CRM
settings: {site: {example: 'http://127.0.0.1:1'}}
address: '{settings.site}'
auth: {key: {needs: {token: secret}, headers: {Authorization: 'Bearer {auth.token}'}}}
models: {contact: {object: people, fields: {id: id, name: name, phone: phone}, numbers: [phone]}}
find_by_phone: [{get: /people, query: {phone: '{number.e164}'}}]
entry_url: '{settings.site}/calls/{call.crm_id}'
log_call:
  - get: /me
    capture: {me: user.id}
  - post: /calls
    when: {contact.id: any}
    json:
      person: '{contact.id}'
      owner: '{user.id | default step.me}'
      title: '{call.subject}'
      text: '{call.body}'
      key: '{call.id}'
      result: "{call.outcome | map answered ok 'not ok'}"
    capture: {crm_id: id}
"""


class Acme(BaseHTTPRequestHandler):
    calls: list[dict[str, str]] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.give({"user": {"id": 7}})

    def do_POST(self) -> None:
        assert self.headers["Authorization"] == "Bearer s3cr3t-word"
        self.calls.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.give({"id": "c1"})

    def give(self, found: object) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def acme(config: Path) -> Iterator[list[dict[str, str]]]:
    Acme.calls.clear()
    with HTTPServer(("127.0.0.1", 0), Acme) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        (config / "providers").mkdir(exist_ok=True)
        (config / "providers" / "acme.yaml").write_text(ACME)
        (config / "key").write_text("s3cr3t-word")
        (config / "key").chmod(0o600)
        text = f"provider: acme\nsite: http://127.0.0.1:{server.server_port}\nauth: {{key: {{file: key}}}}\n"
        log = "log: {subjects: {inbound.missed: '[Missed] {call.from}'}}\n"
        (config / "integrations" / "crm.yaml").write_text(text + log)
        yield Acme.calls
        server.shutdown()
        thread.join()


def test_the_requests_are_shown_and_no_secret_and_nothing_is_sent(
    run: Run, config: Path, acme: list[dict[str, str]]
) -> None:
    options = ("--record", "contact:101", "--kind", "inbound.missed", "--config", str(config))
    code, out, err = run("integrations", "log-test", "crm", *options)
    assert code == 0, err + out
    assert ("GET http://127.0.0.1:" in out, "/me" in out, "POST http://127.0.0.1:" in out) == (True, True, True)
    assert ('"title": "[Missed] +12025550100"' in out, '"result": "not ok"' in out) == (True, True)
    assert ('"owner": "<me>"' in out, "Bearer <token>" in out, "s3cr3t" in out) == (True, True, False)
    assert acme == []


def test_one_entry_is_really_written(run: Run, config: Path, acme: list[dict[str, str]]) -> None:
    options = ("--record", "contact:101", "--user", "9", "--really", "--config", str(config))
    code, out, err = run("integrations", "log-test", "crm", *options)
    assert (code, out.startswith("written: c1 http://127.0.0.1:")) == (0, True), err + out
    (found,) = acme
    assert (found["person"], found["owner"], found["result"]) == ("101", "9", "ok")
    assert "A test entry; delete it." in found["text"]


def test_a_call_of_nobody_has_no_place(run: Run, config: Path, acme: list[dict[str, str]]) -> None:
    code, out, _ = run("integrations", "log-test", "crm", "--really", "--config", str(config))
    assert (code, acme) == (1, [])
    assert "Acme CRM has no place for a call with somebody unknown" in out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--record", "person:1"), "'person:1' is no record"),
        (("--record", "contact"), "'contact' is no record"),
        (("--kind", "missed"), "no call is 'missed'"),
        (("--kind", "inward.missed"), "no call is 'inward.missed'"),
    ],
)
def test_what_cannot_be_is_said(
    run: Run, config: Path, acme: list[dict[str, str]], options: tuple[str, ...], says: str
) -> None:
    code, _, err = run("integrations", "log-test", "crm", *options, "--config", str(config))
    assert code == 2
    assert says in err
