"""Secrets from one place, for the service and every command: the file `environment`, and files beside the routes."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing_engine.engine import open_store
from tests.cli.conftest import Run

pytestmark = pytest.mark.io

ERP = "provider: http\naddress: http://127.0.0.1:1/\nmodels: {contact: {}}\nauth: {bearer: SECRET}\n"


def with_secret(config: Path, secret: str) -> Path:
    (config / "integrations" / "erp.yaml").write_text(ERP.replace("SECRET", secret))
    return config


def test_commands_read_the_file_environment(run: Run, config: Path) -> None:
    with_secret(config, "'${FIELD_TOKEN}'")
    (config / "environment").write_text("FIELD_TOKEN=hunter2\n")
    (config / "environment").chmod(0o640)
    assert run("check", "--config", str(config))[0] == 0
    assert "cannot be reached" in run("integrations", "check", "erp", "--config", str(config))[1]
    assert run("run-test", "support", "--config", str(config))[0] in (0, 1)


def test_a_variable_that_is_nowhere_is_told_with_the_file(run: Run, config: Path) -> None:
    code, out, _ = run("check", "--config", str(with_secret(config, "'${FIELD_TOKEN}'")))
    assert code == 1
    assert "write FIELD_TOKEN=... into the file 'environment' of this folder" in out


def test_a_line_that_is_no_variable_is_a_problem_without_its_text(run: Run, config: Path) -> None:
    (config / "environment").write_text("A=b\nhunter2\n")
    code, out, _ = run("check", "--config", str(config))
    assert (code, "environment:2: this is not NAME=value" in out, "hunter2" in out) == (1, True, False)


def test_a_changed_secret_is_a_change_and_the_revision_stays(config: Path) -> None:
    (config / "environment").write_text("FIELD_TOKEN=one\n")
    store = open_store(with_secret(config, "'${FIELD_TOKEN}'"))
    before = store.load()
    (config / "environment").write_text("FIELD_TOKEN=other\n")
    assert store.changed()
    after = store.reload()
    assert after.revision == before.revision
    assert after.integrations["erp"] != before.integrations["erp"]


def test_a_secrets_file_is_relative_to_the_configuration_folder(run: Run, config: Path) -> None:
    with_secret(config, "{file: secrets/erp}")
    assert "secrets/erp" in run("check", "--config", str(config))[1]
    (config / "secrets").mkdir()
    (config / "secrets" / "erp").write_text("hunter2\n")
    assert run("check", "--config", str(config))[0] == 0


def test_the_key_of_the_journal_is_relative_to_the_folder_too(run: Run, config: Path) -> None:
    with (config / "engine.yaml").open("a") as file:
        file.write("journal: {numbers: hashed, key: {file: key}}\n")
    (config / "key").write_text("0123456789abcdef0123456789abcdef")
    assert run("check", "--config", str(config))[0] == 0


def test_call_finds_the_running_engine_while_engine_yaml_is_broken(run: Run, config: Path) -> None:
    (config / "engine.yaml").write_text("listeners: {fastagi: '127.0.0.1:1'}\n")
    store = open_store(config)
    store.start()
    store.keep()
    (config / "engine.yaml").write_text("{")
    assert "nobody answers on 127.0.0.1:1" in run("call", "support", "--input", "1", "--config", str(config))[2]


def test_call_with_an_engine_reads_nothing(run: Run, config: Path) -> None:
    (config / "engine.yaml").write_text("{")
    arguments = ("call", "support", "--engine", "127.0.0.1:1", "--input", "1", "--config", str(config))
    assert "nobody answers on 127.0.0.1:1" in run(*arguments)[2]


def test_call_knows_the_port_of_the_profile(run: Run, config: Path) -> None:
    (config / "engine.yaml").write_text("dialplan: {profile: freepbx}\n")
    assert "127.0.0.1:4583" in run("call", "support", "--input", "1", "--config", str(config))[2]
