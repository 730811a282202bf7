"""The last configuration that was in force: kept on the disk, taken at a start with a broken folder, told of."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from routing_engine.config.folder import FolderTexts
from routing_engine.config.refusal import find_refusal
from routing_engine.config.revisions import Revisions
from routing_engine.config.store import ConfigStore
from routing_engine.connections import THIS_MACHINE
from routing_engine.errors import ConfigError
from routing_engine.rehearsal import run_examples
from routing_engine.settings.paths import audit_folder
from routing_engine.storage.deed_log import DeedLog

from .folders import CRM, PROVIDERS, ROUTE, write
from .test_read import SUPPORT

pytestmark = pytest.mark.io

SECRET = "hunter2"
GOOD = {"integrations/crm.yaml": CRM, "routes/support.yaml": SUPPORT, "routes/other.yaml": ROUTE}
BAD = "default: {to: {quue: other}}\n"
NIGHT = "overrides: [{name: office, state: closed, since: '2026-01-01T00:00Z', until: '2099-01-01T00:00Z'}]\n"
OFFICE = "calendars: {office: {hours: {daily: '00:00-24:00'}}}\n"
BREAKS: dict[str, Callable[[Path], object]] = {
    "a broken route": lambda folder: write(folder, {"routes/other.yaml": BAD}),
    "an empty file": lambda folder: write(folder, {"engine.yaml": ""}),
    "no YAML": lambda folder: write(folder, {"integrations/crm.yaml": "{"}),
    "no routes": lambda folder: shutil.rmtree(folder / "routes"),
    "a file that is a folder": lambda folder: (folder / "routes" / "third.yaml").mkdir(),
    "nothing at all": lambda folder: [shutil.rmtree(folder / name) for name in ("routes", "integrations")],
}


def open_at(folder: Path, token: str | None = SECRET) -> ConfigStore:
    environment = {} if token is None else {"TOKEN": token}
    return ConfigStore(folder, PROVIDERS, environment.get, run_examples=run_examples)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that was in force."""
    store = open_at(write(tmp_path, GOOD))
    store.start()
    store.keep()
    return tmp_path


@pytest.mark.parametrize("broken", BREAKS)
def test_a_start_with_a_broken_folder_takes_the_last_good_one(folder: Path, broken: str) -> None:
    revision = open_at(folder).start().revision
    BREAKS[broken](folder)
    store = open_at(folder)
    assert (store.start().revision, sorted(store.in_force.routes)) == (revision, ["other", "support"])
    assert store.refusal is not None
    assert store.refusal.problems


def test_no_secret_is_kept_and_nobody_else_reads_what_is(folder: Path) -> None:
    kept = [path for path in Revisions(folder).path.rglob("*") if path.is_file()]
    held = b"".join(path.read_bytes() for path in kept)
    assert SECRET.encode() not in held
    assert b"${TOKEN}" in held
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o640}
    assert {path.parent.stat().st_mode & 0o027 for path in kept} == {0}


def test_an_empty_folder_without_a_last_one_names_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        open_at(tmp_path).start()
    assert str(tmp_path) in str(caught.value)
    assert str(Revisions(tmp_path).path) in str(caught.value)


def test_a_wrong_folder_names_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=str(tmp_path / "nowhere")):
        open_at(tmp_path / "nowhere").start()


def test_a_folder_that_comes_right_is_taken(folder: Path) -> None:
    write(folder, {"routes/other.yaml": BAD})
    store = open_at(folder)
    store.start()
    write(folder, {"routes/other.yaml": ROUTE.replace("sales", "new")})
    assert store.changed()
    store.reload()
    assert (store.refusal, str(store.in_force.routes["other"].default.to.target.parts[0])) == (None, "new")


def test_a_secret_that_is_gone_makes_its_integration_unusable_and_no_other(folder: Path) -> None:
    write(folder, {"integrations/second.yaml": "provider: fake\nmodels: {contact: {}}\n"})
    store = open_at(folder)
    store.start()
    store.keep()
    found = open_at(folder, token=None).start()
    assert "TOKEN is not set" in found.integrations["crm"].unusable
    assert found.integrations["second"].unusable == ""


def manifest(folder: Path) -> Path:
    return Revisions(folder).path / f"{Revisions(folder).newest}.json"


def test_what_this_version_cannot_read_is_named_with_the_folders_problems(folder: Path) -> None:
    kept = Revisions(folder)
    found = kept.read(kept.newest)
    texts = FolderTexts.of({**kept.contents(found), "routes/other.yaml": b"defult: {}\n"}, found.number)
    kept.note(replace(kept.keep(texts, found.at, found.author), version="0.9"))
    write(folder, {"routes/support.yaml": BAD})
    with pytest.raises(ConfigError) as caught:
        open_at(folder).start()
    assert "of engine 0.9" in str(caught.value)
    assert "routes/support.yaml:1" in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"files": 1}', '{"files": {}, "at": 1}'])
def test_a_manifest_that_is_damaged_is_a_problem(folder: Path, content: str) -> None:
    manifest(folder).write_text(content)
    write(folder, {"routes/other.yaml": BAD})
    with pytest.raises(ConfigError, match="is damaged"):
        open_at(folder).start()


def test_a_file_that_is_damaged_is_never_put_in_force(folder: Path) -> None:
    kept = Revisions(folder)
    digest = kept.read(kept.newest).files["routes/other.yaml"]
    (kept.path / "files" / digest).write_text(ROUTE.replace("sales", "moved"))
    write(folder, {"routes/other.yaml": BAD})
    with pytest.raises(ConfigError, match=r"'routes/other.yaml' of the revision \w+ is damaged"):
        open_at(folder).start()


def test_a_good_start_mends_what_is_damaged(folder: Path) -> None:
    manifest(folder).write_text("{")
    store = open_at(folder)
    store.start()
    store.keep()
    assert Revisions(folder).intact(store.in_force.revision)


def test_without_the_note_of_what_is_in_force_the_newest_revision_is_taken(folder: Path) -> None:
    Revisions(folder).standing.path.write_text("{")
    write(folder, {"routes/other.yaml": BAD})
    assert sorted(open_at(folder).start().routes) == ["other", "support"]


def test_a_broken_folder_never_becomes_the_last_good_one(folder: Path) -> None:
    before = manifest(folder)
    write(folder, {"routes/other.yaml": BAD})
    store = open_at(folder)
    store.start()
    store.keep()
    assert manifest(folder) == before


def test_two_engines_on_one_folder_keep_the_same_once(folder: Path) -> None:
    before = manifest(folder).stat()
    second = open_at(folder)
    second.start()
    second.keep()
    assert manifest(folder).stat().st_ino == before.st_ino
    assert len(DeedLog(audit_folder(folder)).deeds()) == 1


def test_what_an_older_engine_has_kept_is_taken_over(folder: Path) -> None:
    kept = Revisions(folder)
    files = {name: content.decode() for name, content in kept.contents(kept.read(kept.newest)).items()}
    told = {"engine": "0.1", "revision": kept.newest, "since": "2026-11-01T00:00:00+00:00", "files": files}
    shutil.rmtree(kept.path)
    (folder / "state" / "last-good.json").write_text(json.dumps(told))
    write(folder, {"routes/other.yaml": BAD})
    assert open_at(folder).start().revision == told["revision"]
    assert not (folder / "state" / "last-good.json").exists()


def test_lists_and_calendar_files_are_kept_and_todays_switch_counts(tmp_path: Path) -> None:
    engine = OFFICE + "lists: {blocked: {block: lists/blocked.txt}}\n"
    store = open_at(write(tmp_path, GOOD | {"engine.yaml": engine, "lists/blocked.txt": "+43 664 1234567\n"}))
    store.start()
    store.keep()
    write(tmp_path, {"routes/other.yaml": BAD, "lists/blocked.txt": "nonsense!\n", "state/calendars.yaml": NIGHT})
    found = open_at(tmp_path).start().settings.site
    assert found.calendars["office"].state(datetime(2026, 12, 1, tzinfo=UTC)) == "closed"
    assert found.lists["blocked"]


def test_commands_are_told_as_long_as_the_folder_stays_as_it_was_refused(folder: Path) -> None:
    write(folder, {"routes/other.yaml": BAD})
    store = open_at(folder)
    store.start()
    store.keep()
    told = find_refusal(folder)
    assert told is not None
    assert (told.revision, told.problems) == (store.in_force.revision, store.refusal and list(store.refusal.problems))
    write(folder, {"routes/other.yaml": ROUTE})
    assert find_refusal(folder) is None


def test_the_note_goes_when_the_folder_is_taken(folder: Path) -> None:
    write(folder, {"routes/other.yaml": BAD})
    store = open_at(folder)
    store.start()
    store.keep()
    write(folder, {"routes/other.yaml": ROUTE})
    store.reload()
    store.keep()
    assert not (folder / "state" / "refused.json").exists()


GUARDED = """
listeners: {fastagi: {address: '0.0.0.0:4573', secret: '${AGI_SECRET}'}}
journal: {numbers: hashed, key: {file: journal.key}}
database: 'postgresql://routing:${DATABASE_PASSWORD}@db.example.com/calls'
"""


@pytest.fixture
def guarded(tmp_path: Path) -> Path:
    """A folder that was in force, with secrets in engine.yaml that are gone since."""
    (tmp_path / "journal.key").write_text("0123456789abcdef0123")
    secrets = {"TOKEN": SECRET, "AGI_SECRET": "word", "DATABASE_PASSWORD": "pass"}
    store = ConfigStore(write(tmp_path, {**GOOD, "engine.yaml": GUARDED}), PROVIDERS, secrets.get)
    store.start()
    store.keep()
    (tmp_path / "journal.key").unlink()
    return tmp_path


def test_a_secret_of_engine_yaml_that_is_gone_stops_no_start(guarded: Path) -> None:
    store = open_at(guarded)
    assert sorted(store.start().routes) == ["other", "support"]
    said = "".join(map(str, store.in_force.remarks))
    for name in ("variable AGI_SECRET is not set", "variable DATABASE_PASSWORD is not set", "secret in 'journal.key'"):
        assert name in "".join(map(str, store.refusal.problems if store.refusal else ()))
        assert name in said
    assert "what needs it is down" in said


def test_without_its_secret_nothing_is_more_open_or_kept_plainer(guarded: Path) -> None:
    settings = open_at(guarded).start().settings
    assert settings.listeners.fastagi is not None
    assert (settings.listeners.fastagi.allow, settings.journal.numbers) == (THIS_MACHINE, "masked")
    assert settings.database == "postgresql://routing:@db.example.com/calls"


def test_who_may_connect_stays_as_it_was_written(guarded: Path) -> None:
    text = GUARDED.replace("secret:", "allow: [192.0.2.5], secret:")
    environment = {"TOKEN": SECRET, "AGI_SECRET": "word", "DATABASE_PASSWORD": "pass"}
    (guarded / "journal.key").write_text("0123456789abcdef0123")
    store = ConfigStore(write(guarded, {"engine.yaml": text}), PROVIDERS, environment.get)
    store.start()
    store.keep()
    found = open_at(guarded).start().settings.listeners.fastagi
    assert found is not None
    assert found.allow == (ip_network("192.0.2.5/32"),)


def test_a_first_start_without_a_secret_is_still_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="AGI_SECRET is not set"):
        open_at(write(tmp_path, {**GOOD, "engine.yaml": GUARDED})).start()
