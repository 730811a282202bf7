"""`routing-engine schema`: what it writes, and that every file of a new configuration finds its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_every_file_of_a_new_configuration_names_a_schema_that_is_there(config: Path) -> None:
    for file in config.rglob("*.yaml"):
        named = file.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
        assert json.loads((file.parent / named).read_text())["type"] == "object", file


def test_the_schemas_are_written_beside_the_configuration(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("--config", str(tmp_path), "schema")
    written = sorted(path.name for path in (tmp_path / "schema").iterdir())
    assert (code, written) == (
        0,
        [f"{kind}.json" for kind in "engine groups integration pbx provider route users webhook".split()],
    )
    assert all(name in out for name in written)


def test_one_schema_is_printed(run: Run, config: Path) -> None:
    code, out, _ = run("--config", str(config), "schema", "route")
    assert (code, json.loads(out)["required"]) == (0, ["default"])


def test_a_description_of_the_operators_own_is_a_provider(run: Run, config: Path) -> None:
    (config / "providers").mkdir()
    (config / "providers" / "acme.yaml").write_text("address: https://acme.example.com\n")
    _, out, _ = run("--config", str(config), "schema", "integration")
    assert "acme" in json.loads(out)["properties"]["provider"]["enum"]


def test_a_folder_that_is_not_there_is_misuse(run: Run, tmp_path: Path) -> None:
    code, _, err = run("--config", str(tmp_path / "none"), "schema")
    assert (code, "there is no folder" in err) == (2, True)


@pytest.mark.io
def test_the_schemas_are_not_part_of_the_revision(run: Run, config: Path) -> None:
    before = run("--config", str(config), "check")[1]
    (config / "schema" / "route.json").write_text("{}")
    assert run("--config", str(config), "check")[1] == before
