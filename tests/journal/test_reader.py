"""Questions to the journal: which calls, and what a reader may never do."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from routing_engine.errors import StorageError
from routing_engine.journal.privacy import Privacy
from routing_engine.journal.reader import open_to_read
from routing_engine.journal.stored_call import mask_call
from routing_engine.settings.stores import JournalSettings
from routing_engine.storage.place import DatabasePlace

from .calls import AT, KEY, abandoned, kept_call, kept_ids, number, opened, routed, settings, write

pytestmark = pytest.mark.io

ANNA, BOB = number("+436641234567"), number("+4315550199")
AT_MS = round(AT.timestamp() * 1000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({}, ["d", "c", "b", "a", "z"]),
        ({"route": "sales"}, ["b"]),
        ({"reason": "no_rule"}, ["c"]),
        ({"reason": "abandoned"}, ["z"]),
        ({"rule": "gold"}, ["a"]),
        ({"since_ms": AT_MS + 2000}, ["d", "c"]),
        ({"until_ms": AT_MS + 2000}, ["b", "a", "z"]),
        ({"limit": 2}, ["d", "c"]),
        ({"caller": BOB}, ["d"]),
        ({"route": "support", "since_ms": AT_MS + 1, "reason": "no_rule"}, ["c"]),
    ],
)
async def test_what_narrows_a_list(path: Path, wanted: dict[str, Any], ids: list[str]) -> None:
    await write(
        path,
        abandoned("z"),
        routed(call_id="a", at=AT, rule="gold"),
        routed(call_id="b", at=AT + timedelta(seconds=1), route="sales"),
        routed(call_id="c", at=AT + timedelta(seconds=2), reason="no_rule", rule=""),
        routed("+43 1 5550199", call_id="d", at=AT + timedelta(seconds=3)),
    )
    assert kept_ids(path, **wanted) == ids


@pytest.mark.parametrize("mode", ["plain", "masked", "hashed"])
async def test_a_caller_is_found_in_every_mode(path: Path, mode: Any) -> None:
    await write(path, routed(call_id="anna"), routed("+43 1 5550199", call_id="bob"), kept=settings(mode))
    assert kept_ids(path, caller=ANNA, privacy=Privacy(mode, settings(mode).key)) == ["anna"]


async def test_with_a_key_masked_calls_are_found_by_the_whole_number(path: Path) -> None:
    twin = "+43 664 7654567"
    await write(path, routed(call_id="anna"), routed(twin, call_id="twin"), kept=JournalSettings(key=KEY))
    assert kept_ids(path, caller=ANNA, privacy=Privacy("masked", KEY)) == ["anna"]
    assert kept_ids(path, caller=ANNA) == ["twin", "anna"]


async def test_a_masked_extension_is_nobodys(path: Path) -> None:
    await write(path, routed("217", call_id="a"), routed("218", call_id="b"))
    assert kept_ids(path, caller=number("217")) == []


async def test_what_is_kept_plain_can_be_shown_masked(path: Path) -> None:
    await write(path, routed(called="+436641234567"), kept=settings("plain"))
    call = mask_call(kept_call(path), "AT")
    assert (call.caller, call.called, call.record_url) == ("...567", "...567", "https://crm.example/7?q=...567")
    assert call.trail[2].outcome == "call.caller is '...567': it is not '...888'"
    assert call.chain[0].target == "...877"


# ----------------------------------------------------------------------------------------- only reading


async def test_a_reader_sees_one_moment_while_others_write(path: Path) -> None:
    async with opened(path) as journal:
        journal.record(routed(call_id="a"))
        assert await journal.flush()
        with open_to_read(DatabasePlace(path)) as connection:
            before = connection.execute(text("SELECT count(*) FROM decisions")).scalar()
            journal.record(routed(call_id="b"))
            assert await journal.flush()
            assert connection.execute(text("SELECT count(*) FROM decisions")).scalar() == before == 1
    assert kept_ids(path) == ["b", "a"]


async def test_a_reader_cannot_change_anything(path: Path) -> None:
    await write(path, routed())
    with pytest.raises(StorageError, match="readonly"), open_to_read(DatabasePlace(path)) as connection:
        connection.execute(text("DELETE FROM decisions"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "there is no database yet"),
        (b"", "there is no database yet"),
        (b"no database at all" * 100, "file is not a database"),
    ],
)
def test_a_file_that_is_none_is_told(path: Path, content: bytes | None, sentence: str) -> None:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StorageError, match=sentence), open_to_read(DatabasePlace(path)):
        pass


async def test_a_journal_of_a_newer_version_is_not_read(path: Path) -> None:
    await write(path, routed())
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE about SET value = '99' WHERE name = 'schema'")
    with (
        pytest.raises(StorageError, match="a newer version of the engine wrote this"),
        open_to_read(DatabasePlace(path)),
    ):
        pass
