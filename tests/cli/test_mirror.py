"""`routing-engine mirror`: what is mirrored, and a pull by hand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from routing_engine.mirror.index import index_path
from routing_engine.storage.files import locked, make_folder
from tests.cli.conftest import Run, as_json

pytestmark = pytest.mark.io

DESCRIPTION = """
title: Small CRM
address: http://127.0.0.1
models: {contact: {fields: {id: id, name: name, phone: phone}, numbers: [phone]}}
list: [{get: /contacts, records: results}]
"""
ROUTE = (
    "sources: [{integration: crm, search: {by: caller}, rules: [{to: {queue: known}}]}]\ndefault: {to: {queue: a}}\n"
)


class Crm(ThreadingHTTPServer):
    """Lists `people`; None is a server that is out of order."""

    people: int | None = 30

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            count = self.server.people  # type: ignore[attr-defined]
            self.send_response(200 if count is not None else 400)
            self.end_headers()
            people = [{"id": n, "name": f"P{n}", "phone": f"+43 1 555{n:04}"} for n in range(count or 0)]
            self.wfile.write(json.dumps({"results": people}).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""


@pytest.fixture
def crm() -> Iterator[Crm]:
    with Crm(("127.0.0.1", 0), Crm.Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path, crm: Crm) -> Path:
    for name in ("providers", "integrations", "routes"):
        (tmp_path / name).mkdir()
    (tmp_path / "engine.yaml").write_text("region: AT\nlisteners: {fastagi: 127.0.0.1:4573}\n")
    (tmp_path / "providers" / "small.yaml").write_text(DESCRIPTION)
    text = f"provider: small\naddress: http://127.0.0.1:{crm.server_port}\nmirror: {{}}\n"
    (tmp_path / "integrations" / "crm.yaml").write_text(text)
    (tmp_path / "routes" / "support.yaml").write_text(ROUTE)
    return tmp_path


def mirrors(run: Run, folder: Path, *more: str) -> tuple[int, dict[str, object], str]:
    code, out, err = run("mirror", *more, "--json", "--config", str(folder))
    (one,) = as_json(out)["mirrors"]
    return code, one, err


def test_what_was_never_pulled_is_said_and_nothing_is_written(run: Run, folder: Path) -> None:
    code, out, _ = run("mirror", "--config", str(folder))
    assert (code, out.splitlines()[0]) == (1, "crm contact: no records yet")
    assert "cannot be used: its records are being pulled for the first time" in out
    assert not (folder / "state").exists()


def test_a_pull_by_hand_fills_it(run: Run, folder: Path) -> None:
    code, one, err = mirrors(run, folder, "crm", "--now")
    assert (code, err) == (0, "crm contact: pulled, 30 came, 0 gone\n")
    assert (one["records"], one["unusable"], one["failing"], one["next"]) == (30, None, None, "full")
    code, out, _ = run("mirror", "--config", str(folder))
    assert (code, out.splitlines()[0][:29]) == (0, "crm contact: 30 records, 0 s ")
    code, out, _ = run("run-test", "support", "--caller", "+43 1 5550017", "--config", str(folder))
    assert (code, "1 record (snapshot, " in out) == (0, True)


def test_a_pull_that_fails_leaves_what_was_there(run: Run, folder: Path, crm: Crm) -> None:
    mirrors(run, folder, "crm", "--now")
    crm.people = None
    code, one, err = mirrors(run, folder, "crm", "--full")
    assert (code, one["records"], "crm contact: not pulled: crm: " in err) == (1, 30, True)
    assert one["failing"]


def test_what_is_not_believed_can_be_accepted(run: Run, folder: Path, crm: Crm) -> None:
    mirrors(run, folder, "crm", "--now")
    crm.people = 2
    code, one, err = mirrors(run, folder, "crm", "--full")
    assert (code, one["records"], "routing-engine mirror crm --accept" in err) == (1, 30, True)
    code, one, _ = mirrors(run, folder, "crm", "--accept")
    assert (code, one["records"], one["failing"]) == (0, 2, None)


def test_another_process_that_pulls_is_not_disturbed(run: Run, folder: Path) -> None:
    lock = index_path(folder / "state" / "mirror", "crm").with_suffix(".lock")
    make_folder(lock.parent)
    with locked(lock, wait=False):
        code, _, err = mirrors(run, folder, "crm", "--now")
    assert (code, err) == (1, "crm contact: another process is pulling it just now\n")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("erp",), "no integration 'erp' is mirrored; mirrored are: crm"),
        (("--now",), "name the integration that is to be pulled"),
    ],
)
def test_a_wrong_call_of_the_command_is_told(run: Run, folder: Path, more: tuple[str, ...], sentence: str) -> None:
    code, _, err = run("mirror", *more, "--config", str(folder))
    assert (code, sentence in err) == (2, True)


def test_a_number_is_forgotten_here_too(run: Run, folder: Path) -> None:
    mirrors(run, folder, "crm", "--now")
    for more, found in ((("--dry-run",), 1), ((), 1), ((), 0)):
        _, out, _ = run("forget", "+43 1 5550017", "--wait", "0.1", *more, "--json", "--config", str(folder))
        (part,) = [one for one in as_json(out)["parts"] if one["place"] == "mirror"]
        assert part["found"] == {"records": found}
    assert mirrors(run, folder)[1]["records"] == 29
    assert all(b"5550017" not in path.read_bytes() for path in (folder / "state" / "mirror").iterdir())
