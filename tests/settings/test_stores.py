"""`database`, `journal` and `mirror` of engine.yaml: every key, every default, every fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing_engine.config.engine_yaml import EngineSettings, read_part
from routing_engine.errors import Problem
from routing_engine.settings.stores import JournalSettings, database_place, journal_place, mirror_folder
from routing_engine.settings.yaml_reader import Problems
from routing_engine.storage.place import DatabasePlace

ENVIRONMENT = {"JOURNAL_KEY": "0123456789abcdef", "SHORT": "abc"}


def read(text: str) -> tuple[JournalSettings, list[Problem]]:
    notes = Problems("engine.yaml", ENVIRONMENT.get)
    found = read_part(text, notes, ("journal",))
    assert found is not None
    return found.journal, notes.problems


@pytest.mark.parametrize("text", ["region: AT", "journal:"])
def test_without_the_key_a_journal_is_kept_with_masked_numbers(text: str) -> None:
    assert read(text) == (JournalSettings(kept=True, path="", numbers="masked", key="", keep_days=90, max_mb=2000), [])


def test_without_an_engine_file_it_is_the_same() -> None:
    assert EngineSettings().journal == JournalSettings()


def test_none_keeps_none() -> None:
    assert read("journal: none") == (JournalSettings(kept=False), [])


def test_every_key() -> None:
    found, problems = read(
        "journal: {path: /srv/calls.db, numbers: hashed, key: '${JOURNAL_KEY}', keep_days: 7, max_mb: 10}"
    )
    assert (found, problems) == (JournalSettings(True, "/srv/calls.db", "hashed", "0123456789abcdef", 7, 10), [])


def test_the_key_may_stand_in_a_file_and_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a secret of some length\n")
    found, problems = read(f"journal: {{key: {{file: {tmp_path / 'key'}}}}}")
    assert (found.key, problems) == ("a secret of some length", [])
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("journal: yes", "'journal' must be a mapping of keys"),
        ("journal: {numbers: hashed}", "'hashed' needs a key"),
        ("journal: {numbers: hidden}", "'numbers' cannot be 'hidden'"),
        ("journal: {key: '${SHORT}'}", "the key has fewer than 16 characters"),
        ("journal: {numbers: hashed, key: '${MISSING}'}", "the environment variable MISSING is not set"),
        ("journal: {key: abcdefghijklmnopqrst}", "'key' holds a secret in plain text"),
        ("journal: {keep_days: 0}", "'keep_days' must be a number from 1 to 3650, not '0'"),
        ("journal: {max_mb: 1}", "'max_mb' must be a number from 10 to 1000000, not '1'"),
        ("journal: {path: /var/lib/}", "'path' must name a file"),
        ("journal: {days: 3}", "'journal' has no key 'days'"),
    ],
)
def test_a_fault_is_noted_once(text: str, sentence: str) -> None:
    assert [problem.sentence for problem in read(text)[1]] == [sentence]


@pytest.mark.parametrize(
    ("folder", "database", "file"),
    [
        ("/etc/routing-engine", "", "/var/lib/routing-engine/calls.db"),
        ("/etc/routing-engine-2", "", "/var/lib/routing-engine-2/calls.db"),
        ("/home/anna/config", "", "/home/anna/config/state/calls.db"),
        ("/etc/routing-engine", "mine.db", "/etc/routing-engine/mine.db"),
        ("config", "/srv/calls.db", "/srv/calls.db"),
    ],
)
def test_where_the_database_lies_and_the_journal_in_it(folder: str, database: str, file: str) -> None:
    place = database_place(database, Path(folder))
    assert place.path == Path(file)
    assert journal_place(JournalSettings(), database, Path(folder)) == place


def test_a_journal_may_have_a_file_of_its_own() -> None:
    place = journal_place(JournalSettings(path="journal.db"), "", Path("/etc/routing-engine"))
    assert place == DatabasePlace(Path("/etc/routing-engine/journal.db"))


def test_what_lay_in_the_usual_place_is_taken_over_by_any_other() -> None:
    usual, before = Path("/var/lib/x/calls.db"), Path("/var/lib/x/journal.db")
    assert database_place("", Path("/etc/x")).older == (before,)
    assert database_place("/srv/calls.db", Path("/etc/x")).older == (usual, before)
    assert database_place("postgresql://db/calls", Path("/etc/x")).older == (usual, before)
    assert database_place("/var/lib/x/calls.db", Path("/etc/x")).older == (before,)


@pytest.mark.parametrize("written", ["/var/lib/x/journal.db", "../../var/lib/x/journal.db"])
def test_a_journal_that_has_the_usual_file_of_before_to_itself_keeps_it(written: str) -> None:
    assert database_place("", Path("/etc/x"), written).older == ()
    assert database_place("postgresql://db/calls", Path("/etc/x"), written).older == (Path("/var/lib/x/calls.db"),)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("database: /srv/calls.db", []),
        ("database: 'postgresql://routing@db.example.com/calls'", []),
        ("database: 'postgresql://routing:${PASSWORD}@db.example.com/calls'", []),
        ("database: 'postgresql://routing:secret@db.example.com/calls'", ["a password stands in the address"]),
        ("database: 'mysql://routing@db.example.com/calls'", ["'mysql' is no database that the engine can use"]),
        ("database: /srv/", ["'database' must name a file, or a PostgreSQL"]),
        ("database: '${MISSING}'", ["the environment variable MISSING is not set"]),
        ("keep_days: 0", ["'keep_days' must be a number from 1 to 36500, not '0'"]),
    ],
)
def test_faults_of_the_database_are_noted_and_no_password_is_shown(text: str, sentences: list[str]) -> None:
    notes = Problems("engine.yaml", {"PASSWORD": "secret"}.get)
    settings = read_part(text, notes, ("database", "keep_days"))
    assert [problem.sentence for problem in notes.problems] == sentences
    assert "secret" not in f"{notes.problems} {settings!r}"


@pytest.mark.parametrize(
    ("text", "folder", "problems"),
    [
        ("region: AT", "/var/lib/engine/mirror", []),
        ("mirror: {folder: ../copy}", "/etc/engine/../copy", []),
        ("mirror: {folder: /var/lib/engine}", "/var/lib/engine", []),
        ("mirror: {path: x}", "/var/lib/engine/mirror", ["'mirror' has no key 'path'"]),
    ],
)
def test_where_the_indexes_of_mirrors_lie(text: str, folder: str, problems: list[str]) -> None:
    notes = Problems("engine.yaml")
    found = read_part(text, notes, ("mirror",))
    assert found is not None
    assert mirror_folder(found.mirror, Path("/etc/engine")) == Path(folder)
    assert [one.sentence for one in notes.problems] == problems
