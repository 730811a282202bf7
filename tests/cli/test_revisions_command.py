"""`revisions`, `rollback`, `audit` and `reload`, as an operator calls them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from routing_engine.engine import open_store
from routing_engine.settings.paths import audit_folder
from routing_engine.storage.deed_log import DeedLog
from tests.cli.conftest import Run, as_json

pytestmark = pytest.mark.io

ROUTE = "default: {to: {queue: sales}}\n"


def take(folder: Path, queue: str) -> str:
    """Let an engine take a change; return the revision."""
    (folder / "routes" / "support.yaml").write_text(ROUTE.replace("sales", queue))
    store = open_store(folder)
    store.start()
    store.keep()
    return store.in_force.revision


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two revisions."""
    (tmp_path / "routes").mkdir()
    (tmp_path / "engine.yaml").write_text("listeners: {fastagi: '127.0.0.1:4573'}\n")
    take(tmp_path, "sales")
    take(tmp_path, "night")
    return tmp_path


def test_the_list_says_since_when_by_whom_and_what_changed(run: Run, folder: Path) -> None:
    code, out, _ = run("revisions", "--config", str(folder))
    head, newest, first = out.splitlines()
    assert (code, head.split()[:2]) == (0, ["revision", "since"])
    assert ("in force" in newest, newest.endswith("route support changed")) == (True, True)
    assert first.endswith("route support added; engine.yaml added")


def test_a_folder_that_was_never_in_force_says_what_begins_it(run: Run, tmp_path: Path) -> None:
    assert run("revisions", "--config", str(tmp_path))[1].startswith("no revision is kept yet")
    assert run("audit", "--config", str(tmp_path))[1].startswith("nothing is in the log yet")
    assert run("audit", "verify", "--config", str(tmp_path))[0] == 0


def test_one_revision_is_shown_with_its_differences(run: Run, folder: Path) -> None:
    newest = as_json(run("revisions", "--json", "--config", str(folder))[1])["revisions"][0]["revision"]
    code, out, _ = run("revisions", "show", newest[:5], "--config", str(folder))
    assert (code, out.splitlines()[0]) == (0, f"revision  {newest}")
    _, out, _ = run("revisions", "show", newest, "--diff", "--config", str(folder))
    assert out.splitlines()[-2:] == ["-default: {to: {queue: sales}}", "+default: {to: {queue: night}}"]


def test_a_revision_that_is_not_there_is_a_sentence(run: Run, folder: Path) -> None:
    code, _, err = run("revisions", "show", "ffffffffffff", "--config", str(folder))
    assert (code, "take a number that 'revisions' lists" in err) == (1, True)


def test_rollback_goes_back_and_says_how_to_go_forward_again(run: Run, folder: Path) -> None:
    newest = as_json(run("revisions", "--json", "--config", str(folder))[1])["revisions"][0]["revision"]
    code, out, _ = run("rollback", "--config", str(folder))
    assert (code, f"'routing-engine rollback {newest}' brings it back" in out) == (0, True)
    assert (folder / "routes" / "support.yaml").read_text() == ROUTE
    told = as_json(run("rollback", newest, "--json", "--config", str(folder))[1])
    assert (told["revision"], told["changes"]) == (newest, [{"file": "routes/support.yaml", "how": "changed"}])


def test_rollback_says_what_is_wrong_with_what_was_fine_then(run: Run, folder: Path) -> None:
    (folder / "token").write_text("secret")
    (folder / "integrations").mkdir()
    path = folder / "integrations" / "erp.yaml"
    path.write_text(
        "provider: http\naddress: 'https://erp.example.com'\nauth: {bearer: {file: token}}\nmodels: {a: {}}\n"
    )
    take(folder, "vip")
    path.unlink()
    take(folder, "vip")
    (folder / "token").unlink()
    code, _, err = run("rollback", "--config", str(folder))
    assert (code, "integrations/erp.yaml:3" in err, path.exists()) == (1, True, True)


def test_the_audit_tells_who_did_what_and_finds_a_line_that_was_changed(run: Run, folder: Path) -> None:
    run("rollback", "--config", str(folder))
    deeds = as_json(run("audit", "--json", "--config", str(folder))[1])["deeds"]
    assert [one["what"] for one in deeds] == ["rollback", "in force", "in force"]
    assert deeds[0]["who"].startswith("command of ")
    known = f"{deeds[1]['number']}:{deeds[1]['hash']}"
    assert run("audit", "verify", "--known", known, "--config", str(folder))[0] == 0
    path = audit_folder(folder) / "log.jsonl"
    path.write_text(path.read_text().replace("route support changed", "nothing"))
    code, _, err = run("audit", "verify", "--config", str(folder))
    assert (code, "line 2 has been changed" in err) == (1, True)


def test_a_log_that_was_written_anew_is_not_the_one_that_was_noted(run: Run, folder: Path) -> None:
    last = DeedLog(audit_folder(folder)).deeds()[-1]
    for name in ("log.jsonl", "head"):
        (audit_folder(folder) / name).unlink()
    DeedLog(audit_folder(folder), lambda: datetime.now(UTC)).add("eve", "in force")
    assert run("audit", "verify", "--config", str(folder))[0] == 0
    known = f"{last.number}:{last.hash}"
    code, out, _ = run("audit", "verify", "--json", "--known", known, "--config", str(folder))
    assert (code, json.loads(out)["faults"]) == (1, ["line 2 is not the one that you noted"])


def test_a_known_line_is_written_as_the_log_has_it(run: Run, folder: Path) -> None:
    assert run("audit", "verify", "--known", "7", "--config", str(folder))[0] == 2


@pytest.mark.parametrize("command", ["revisions", "audit"])
@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_a_count_that_is_none_is_refused(run: Run, folder: Path, command: str, count: str) -> None:
    code, _, error = run(command, f"--limit={count}", "--config", str(folder))
    assert (code, f"'{count}' is not a number from 1" in error) == (2, True)
