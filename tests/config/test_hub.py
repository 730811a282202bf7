"""`hub:` of engine.yaml, and a PBX that an edge follows: what is read, and each fault with its line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing_engine.config.engine_yaml import EngineSettings, read_settings
from routing_engine.config.pbxs import read_pbx
from routing_engine.config.store import ConfigStore
from routing_engine.errors import ConfigError
from routing_engine.settings.yaml_reader import Problems

KEY = "k" * 20
HTTP_ALONE = "listeners: {http: 127.0.0.1:0}\n"


def read(text: str) -> tuple[EngineSettings | None, Problems]:
    notes = Problems("engine.yaml", {"EDGE_KEY": KEY}.get)
    return read_settings(text, notes), notes


def hub(address: str, more: str = "") -> str:
    return f"region: AT\nhub: {{address: '{address}', key: '${{EDGE_KEY}}'{more}}}\n"


@pytest.mark.parametrize(
    "address", ["https://calls.example.com", "https://[2001:db8::1]:8473/", "http://127.0.0.1:8473"]
)
def test_an_edge_names_its_hub(address: str) -> None:
    found, notes = read(hub(address))
    assert found is not None
    assert found.hub is not None
    assert (found.hub.address, found.hub.key, found.hub.is_plain) == (address.rstrip("/"), KEY, False)
    assert list(notes.remarks) == []
    assert KEY not in repr(found)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (hub("http://calls.example.com"), "unencrypted"),
        (hub("http://192.0.2.7:8473"), "unencrypted"),
        (hub("calls.example.com"), "not the address of an engine"),
        (hub("https://user:word@calls.example.com"), "not the address of an engine"),
        (hub("https://calls.example.com/v1?x=1"), "not the address of an engine"),
        ("hub: {address: 'https://calls.example.com'}\n", "'key' is missing"),
        ("hub: {address: 'https://calls.example.com', key: written-plainly-here}\n", "key"),
        (hub("https://calls.example.com") + HTTP_ALONE, "do not go together"),
    ],
)
def test_what_cannot_be_a_hub_is_refused_with_its_remedy(text: str, why: str) -> None:
    found, notes = read(text)
    assert found is None
    assert why in str(notes.problems[0])
    assert notes.problems[0].remedy


def test_a_line_that_others_may_read_is_taken_when_said_so_and_remarked() -> None:
    found, _ = read(hub("http://192.0.2.7:8473", ", plain: true"))
    assert found is not None
    assert [(one.line, "not encrypted" in one.sentence) for one in found.remarks] == [(2, True)]


def test_a_pbx_of_an_edge_needs_neither_its_manager_interface_nor_its_trunks() -> None:
    found = read_pbx("main", "edge: office\nrecordings: ari\n", Problems("pbxs/main.yaml"))
    assert found is not None
    assert (found.keys.edge, found.keys.recordings, found.keys.ami) == ("office", "ari", None)


@pytest.mark.parametrize("written", ["'../office'", "''", "[office]"])
def test_an_edge_is_the_name_of_a_key(written: str) -> None:
    notes = Problems("pbxs/main.yaml")
    assert read_pbx("main", f"edge: {written}\n", notes) is None
    assert str(notes.problems[0]).startswith("pbxs/main.yaml:1: ")


@pytest.mark.parametrize("keys", ["{}", "{office: {key: '${KEY}', may: [calls.read]}}"])
def test_an_edge_without_a_key_is_named_with_the_line_to_add(tmp_path: Path, keys: str) -> None:
    (tmp_path / "pbxs").mkdir()
    (tmp_path / "engine.yaml").write_text(f"{HTTP_ALONE}api_keys: {keys}\n")
    (tmp_path / "pbxs" / "main.yaml").write_text("edge: office\n")
    with pytest.raises(ConfigError, match=r"main.yaml:1: no key 'office' has the right 'edge'; add to api_keys"):
        ConfigStore(tmp_path, {}, environment={"KEY": KEY}.get).load()


def test_a_hub_that_nobody_can_reach_is_remarked(tmp_path: Path) -> None:
    (tmp_path / "pbxs").mkdir()
    (tmp_path / "engine.yaml").write_text("api_keys: {office: {key: '${KEY}', may: [edge]}}\n")
    (tmp_path / "pbxs" / "main.yaml").write_text("edge: office\n")
    found = ConfigStore(tmp_path, {}, environment={"KEY": KEY}.get).load()
    assert any("'office' cannot connect" in one.sentence for one in found.remarks)


def test_a_hub_without_a_pbx_of_its_own_needs_no_route(tmp_path: Path) -> None:
    (tmp_path / "engine.yaml").write_text(HTTP_ALONE)
    found = ConfigStore(tmp_path, {}).start()
    assert list(found.remarks) == []
