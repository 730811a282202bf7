"""The data models of an integration, beside what the system itself has."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from routing_engine.cli import main
from routing_engine.settings.yaml_reader import without_key

pytestmark = pytest.mark.io

FIELDS = [("id", "Record ID"), ("full_name", "Name"), ("phone", "Phone"), ("tier", "Tier"), ("\x1b[31mred", "R")]
DESCRIPTION = """
title: Acme
address: ADDRESS
auth: none
models:
  contact:
    object: people
    fields: {id: id, name: full_name, phone: {field: phone, label: Line}}
    numbers: [phone]
find_by_phone: [{get: '/{model.object}', query: {phone: '{number.e164}'}}]
describe: {get: '/{model.object}/fields', fields: fields, name: name, label: label}
"""


class _Acme(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"fields": [{"name": name, "label": label} for name, label in FIELDS]}).encode()
        self.send_response(200 if self.path == "/people/fields" else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    server = HTTPServer(("127.0.0.1", 0), _Acme)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    for name in ("integrations", "routes", "providers"):
        (tmp_path / name).mkdir()
    text = DESCRIPTION.replace("ADDRESS", f"http://127.0.0.1:{server.server_port}")
    (tmp_path / "providers" / "acme.yaml").write_text(text)
    write(tmp_path, "provider: acme\n")
    yield tmp_path
    server.shutdown()
    thread.join()
    server.server_close()


def write(folder: Path, text: str) -> None:
    (folder / "integrations" / "crm.yaml").write_text(text)


def fields(folder: Path, *more: str) -> int:
    return main(["--config", str(folder), "integrations", "fields", "crm", *more])


def as_json(folder: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, object]:
    capsys.readouterr()
    fields(folder, "--json", *more)
    found = json.loads(capsys.readouterr().out)["models"][0]
    assert isinstance(found, dict)
    return found


def test_the_defaults_of_a_description_are_there(folder, capsys):
    found = as_json(folder, capsys)
    assert [(one["name"], one["field"], one["label"]) for one in found["fields"]] == [
        ("id", "id", ""), ("name", "full_name", ""), ("phone", "phone", "Line"),
    ]  # fmt: skip
    assert found["gone"] == found["not_mapped"] == []


def test_what_the_operator_adds_stands_beside_the_defaults(folder, capsys):
    write(folder, "provider: acme\nmodels: {contact: {fields: {tier: {field: tier, type: text, shown: false}}}}\n")
    tier = as_json(folder, capsys)["fields"][-1]
    assert (tier["name"], tier["type"], tier["shown"]) == ("tier", "text", False)


def test_a_refresh_tells_what_the_system_has(folder, capsys):
    assert fields(folder, "--refresh") == 0
    assert "2 more of the system are not mapped" in capsys.readouterr().out
    assert [one["name"] for one in as_json(folder, capsys)["not_mapped"]] == ["tier", "[31mred"]


def test_a_field_that_the_system_does_not_have_is_told(folder, capsys):
    write(folder, "provider: acme\nmodels: {contact: {fields: {level: customer_level}}}\n")
    assert fields(folder) == 0
    assert fields(folder, "--refresh") == 1
    assert "the system has no such field" in capsys.readouterr().out
    assert as_json(folder, capsys)["gone"] == ["level"]


def test_a_system_that_does_not_answer_keeps_what_is_known(folder, capsys):
    fields(folder, "--refresh")
    text = (folder / "providers" / "acme.yaml").read_text()
    (folder / "providers" / "acme.yaml").write_text(text.replace("/fields'", "/broken'"))
    assert fields(folder, "--refresh") == 1
    assert "Acme answered with status 500" in capsys.readouterr().err
    assert len(as_json(folder, capsys)["not_mapped"]) == 2


def test_a_reset_takes_out_what_the_operator_added_and_keeps_it(folder, capsys):
    text = "# ours\nprovider: acme\nmodels:\n  contact:\n    fields: {tier: tier}\n\n# few\nlimits: {at_a_time: 2}\n"
    write(folder, text)
    assert fields(folder, "--reset") == 0
    capsys.readouterr()
    rest = (folder / "integrations" / "crm.yaml").read_text()
    assert rest == "# ours\nprovider: acme\n\n# few\nlimits: {at_a_time: 2}\n"
    (kept,) = (folder / "state" / "fields").iterdir()
    assert kept.read_text() == text
    assert [one["name"] for one in as_json(folder, capsys)["fields"]] == [
        "id", "name", "phone",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("a: 1\nmodels: {x: {}}\nb: 2\n", "a: 1\nb: 2\n"),
        ("models:\n  x: {}\n", ""),
        ("a: 1\nmodels:\n  x:\n    fields: {a: b}\n  # about y\n  y: {}\n", "a: 1\n"),
        ("models: {x: {},\n  y: {}}\nb: 2", "b: 2"),
        ("a: 1\n", "a: 1\n"),
        ("a: {models: 1}\n", "a: {models: 1}\n"),
    ],
)
def test_one_key_is_taken_out_and_the_rest_stays_as_written(text, rest):
    assert without_key(text, "models") == rest


def test_a_model_that_is_not_there_is_misuse(folder, capsys):
    assert fields(folder, "lead") == 2
    assert "it has contact" in capsys.readouterr().err


def test_a_provider_that_cannot_tell_says_so_and_nothing_else(folder, capsys):
    text = (folder / "providers" / "acme.yaml").read_text()
    (folder / "providers" / "acme.yaml").write_text(text.partition("describe:")[0])
    assert fields(folder, "--refresh") == 0
    out = capsys.readouterr().out
    assert "'acme' cannot tell which fields there are." in out
    assert "not asked yet" not in out
