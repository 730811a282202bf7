"""`database`: what it shows, and the way forward and back."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from routing_engine.storage.migrations import MIGRATIONS
from tests.cli.conftest import Run
from tests.journal.calls import kept_ids, routed, write
from tests.storage.test_take_over import make_version_1

pytestmark = pytest.mark.io


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path


def test_it_shows_where_the_database_is_and_what_is_in_it(run: Run, config: Path) -> None:
    path = config / "state" / "calls.db"
    asyncio.run(write(path, routed()))
    code, out, _ = run("database", "--json", "--config", str(config))
    assert code == 0
    assert json.loads(out) == {"database": str(path), "schema": len(MIGRATIONS), "calls": 0, "decisions": 1}


def test_where_there_is_none_it_makes_none(run: Run, config: Path) -> None:
    for more in ([], ["--back", "1", "--yes"]):
        code, _, err = run("database", *more, "--config", str(config))
        assert (code, "there is no database yet" in err) == (1, True)
    assert list((config / "state").iterdir()) == []


def test_an_older_copy_is_read_once_it_is_brought_up_to_date(run: Run, config: Path) -> None:
    make_version_1(config / "copy.db", "a")
    copy = ("--file", str(config / "copy.db"))
    assert "an older version of the engine wrote this (schema 1)" in run("database", *copy)[2]
    assert run("database", *copy, "--update")[0] == 0
    assert kept_ids(config / "copy.db") == ["a"]


def test_the_way_back_says_what_it_deletes_and_wants_to_be_sure(run: Run, config: Path) -> None:
    asyncio.run(write(config / "state" / "calls.db", routed()))
    code, _, err = run("database", "--back", "1", "--config", str(config))
    assert (code, "has no place for every call, with its notes and tags" in err) == (2, True)
    assert run("database", "--back", "1", "--yes", "--config", str(config))[0] == 0
    assert "(schema 1)" in run("database", "--config", str(config))[2]


@pytest.mark.parametrize("schema", ["0", "-1", "99"])
def test_a_form_that_there_is_not_is_misuse(run: Run, config: Path, schema: str) -> None:
    assert run("database", "--back", schema, "--config", str(config))[0] == 2
