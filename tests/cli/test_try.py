"""`integrations try`, and who must act for what a system answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from routing_engine.providers.answers.scopes import scopes_in
from tests.cli.conftest import Run, as_json

pytestmark = pytest.mark.io


class Handler(BaseHTTPRequestHandler):
    """Answers with the status that the path names, and repeats a secret."""

    def do_GET(self) -> None:
        status = int(self.path[1:4])
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b'{"name": "Anna", "echo": "s3cr3t-word"}')

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def write(config: Path, address: str) -> None:
    (config / "key").write_text("s3cr3t-word")
    (config / "key").chmod(0o600)
    auth = "auth: {api_key: {in: query, name: api_key, value: {file: key}}}"
    models = "models: {contact: {fields: {name: name}}}"
    text = f"provider: http\naddress: {address}\n{auth}\n{models}\n"
    (config / "integrations" / "crm.yaml").write_text(text)


def test_a_look_up_is_shown_with_its_secrets_masked(run: Run, config: Path, server: str) -> None:
    write(config, f"{server}/200")
    code, out, err = run("integrations", "try", "crm", "--caller", "+43 664 1234567", "--config", str(config))
    assert code == 0, err + out
    assert (f"GET {server}/200?" in out, "api_key=***" in out, ": 200 (" in out) == (True, True, True), out
    assert ('"name": "Anna"' in out, "s3cr3t" in out) == (True, False)
    assert "contact by +436641234567: 1 record (" in out
    assert "Record from contact" not in out


def test_a_record_is_shown_in_the_words_of_the_rules(run: Run, config: Path, server: str) -> None:
    write(config, f"{server}/200")
    code, out, _ = run("integrations", "try", "crm", "--caller", "+43 664 1234567", "--show", "--config", str(config))
    assert (code, out.splitlines()[-2:]) == (0, ["Record from contact", "  name  Anna"])


@pytest.mark.parametrize(("status", "who"), [(500, "vendor"), (403, "vendor"), (401, "administrator")])
def test_who_must_act_follows_from_the_answer(run: Run, config: Path, server: str, status: int, who: str) -> None:
    write(config, f"{server}/{status}")
    code, out, _ = run("integrations", "check", "crm", "--json", "--config", str(config))
    found = as_json(out)
    assert (code, found["who"], "cannot be reached" in found["remedy"]) == (1, who, False)


def test_a_missing_scope_is_named() -> None:
    answer = {"category": "MISSING_SCOPES", "errors": [{"context": {"requiredGranularScopes": ["crm.contacts.read"]}}]}
    assert scopes_in(answer) == ["crm.contacts.read"]
