"""What `doctor` and `pbx check` say of an edge and its hub; acceptance has two engines."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from routing_engine.storage import spool_table
from routing_engine.storage.connector import Connector
from routing_engine.storage.place import DatabasePlace
from tests.cli.conftest import Run, as_json

pytestmark = pytest.mark.io

MAIN = "ami: {address: 127.0.0.1:1, user: engine, secret: '${AMI}'}\ntrunks: [PJSIP/trunk*]\n"


@contextmanager
def hub(status: int, pbxs: list[str]) -> Iterator[str]:
    """What answers as a hub does."""

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps({"edge": "office", "speaks": 1, "connected": False, "pbxs": pbxs}).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def edge(config: Path) -> Path:
    """An edge's folder, without the address of its hub."""
    (config / "environment").write_text(f"KEY={'k' * 20}\nAMI=secret\n")
    (config / "environment").chmod(0o600)
    (config / "pbxs").mkdir(exist_ok=True)
    (config / "pbxs" / "main.yaml").write_text(MAIN)
    return config


def examined(run: Run, edge: Path, address: str) -> dict[str, dict[str, str]]:
    (edge / "engine.yaml").write_text(
        f"listeners: {{fastagi: 127.0.0.1:0}}\nhub: {{address: '{address}', key: '${{KEY}}'}}\n"
    )
    _, out, _ = run("doctor", "--json", "--config", str(edge), "--asterisk", "/no/such/asterisk")
    return {one["about"]: one for one in as_json(out)["findings"]}


@pytest.mark.parametrize(
    ("status", "pbxs", "state", "said"),
    [
        (200, ["main"], "fine", "takes the calls of main"),
        (200, ["other"], "act", "does not take calls of the PBX 'main'"),
        (401, [], "act", "does not know the key"),
        (403, [], "act", "no right 'edge'"),
        (404, [], "act", "there is no /v1/edges"),
    ],
)
def test_whether_the_hub_takes_the_edge_is_said(
    run: Run, edge: Path, status: int, pbxs: list[str], state: str, said: str
) -> None:
    with hub(status, pbxs) as address:
        found = examined(run, edge, address)
    assert (found["hub"]["state"], said in found["hub"]["sentence"]) == (state, True), found["hub"]
    assert (found["spool"]["state"], "k" * 20 in str(found)) == ("fine", False)


def test_what_waits_for_a_hub_that_is_gone_is_said(run: Run, edge: Path) -> None:
    connector = Connector(DatabasePlace(edge / "state" / "calls.db"))
    with connector.transaction() as connection:
        spool_table.put_change(connection, "a", ["call.started"], "{}", 1_000_000.0)
    connector.close()
    found = examined(run, edge, "http://127.0.0.1:1")
    assert "cannot be asked" in found["hub"]["sentence"]
    assert found["spool"]["sentence"].startswith("1 changes of calls wait for the hub, the oldest for ")


def test_a_pbx_of_an_edge_is_checked_there(run: Run, config: Path) -> None:
    (config / "pbxs").mkdir(exist_ok=True)
    (config / "engine.yaml").write_text(
        "listeners: {http: 127.0.0.1:0}\napi_keys: {office: {key: '${KEY}', may: [edge]}}\n"
    )
    (config / "environment").write_text(f"KEY={'k' * 20}\n")
    (config / "environment").chmod(0o600)
    (config / "pbxs" / "main.yaml").write_text("edge: office\n")
    code, out, _ = run("pbx", "check", "main", "--config", str(config))
    assert (code, "the edge 'office'" in out, "pbx check main' there" in out) == (0, True, True)
