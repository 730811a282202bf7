"""A number is forgotten: from the calls, from the texts of others, from the bytes of the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing_engine.core.model import TrailStep
from routing_engine.journal.forget import ForgottenCalls, find_traces, forget
from routing_engine.journal.privacy import Privacy
from routing_engine.settings.stores import JournalSettings
from routing_engine.storage.place import DatabasePlace

from .calls import KEY, SPELLINGS, bytes_of, kept_call, kept_ids, number, opened, routed, settings, write

pytestmark = pytest.mark.io

ANNA, TWIN, BOB = "+43 664 1234567", "+43 664 7654567", "+43 1 5550199"
HASHED = Privacy("hashed", KEY, "AT")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


async def test_calls_of_a_number_go_and_those_of_others_stay(path: Path) -> None:
    bob = routed(BOB, call_id="b", record=None, trail=())
    await write(path, routed(call_id="a1"), routed(call_id="a2"), bob, kept=settings("plain"))
    assert forget(DatabasePlace(path), number(ANNA), Privacy("plain")) == ForgottenCalls(deleted=2)
    assert kept_ids(path) == ["b"]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_others_calls_that_mention_it_stay_without_it(path: Path, spelling: str) -> None:
    trail = (TrailStep("rule x", f"phone is '{spelling}': it is not 'y'", 1.0),)
    await write(path, routed(BOB, trail=trail, called=spelling, record=None), kept=settings("plain"))
    assert forget(DatabasePlace(path), number(ANNA), Privacy("plain")) == ForgottenCalls(cleaned=1)
    call = kept_call(path)
    assert (call.called, call.trail[0].outcome) == ("(forgotten)", "phone is '(forgotten)': it is not 'y'")
    assert call.chain[0].target == "+4319998877"


async def test_no_byte_of_the_file_tells_the_number_any_more_while_the_service_writes(path: Path) -> None:
    async with opened(path, settings("plain")) as journal:
        for n in range(300):
            journal.record(routed(call_id=f"a{n}"))
            journal.record(routed(BOB, call_id=f"b{n}", record=None, trail=(TrailStep("x", "met 0664/1234567"),)))
        assert await journal.flush()
        assert b"6641234567" in bytes_of(path)
        assert forget(DatabasePlace(path), number(ANNA), Privacy("plain")) == ForgottenCalls(deleted=300, cleaned=300)
        assert b"1234567" not in bytes_of(path)
        journal.record(routed(BOB, call_id="after", record=None, trail=()))
    assert (len(kept_ids(path)), kept_ids(path)[0], journal.lost) == (301, "after", 0)


async def test_a_hashed_number_is_found_by_its_key(path: Path) -> None:
    mention = routed(BOB, call_id="b", trail=(TrailStep("x", f"phone is {ANNA}"),), record=None)
    await write(path, routed(), routed(TWIN, call_id="t", trail=(), record=None), mention, kept=settings("hashed"))
    token = HASHED.token(number(ANNA)).encode()
    assert token in bytes_of(path)
    assert forget(DatabasePlace(path), number(ANNA), HASHED) == ForgottenCalls(deleted=1, cleaned=1)
    assert token not in bytes_of(path)
    assert kept_ids(path) == ["b", "t"]


async def test_calls_that_are_hashed_with_another_key_are_counted_as_not_searched(path: Path) -> None:
    await write(path, routed(), routed(BOB, call_id="b"), routed(None, call_id="hidden"), kept=settings("hashed"))
    assert forget(DatabasePlace(path), number(ANNA), Privacy("hashed", KEY[::-1])).unsearched == 2


async def test_masked_calls_that_may_be_of_the_number_go_too_and_are_told_apart(path: Path) -> None:
    await write(path, routed(), routed(TWIN, call_id="t"), routed(BOB, call_id="b"))
    assert forget(DatabasePlace(path), number(ANNA), Privacy("masked")) == ForgottenCalls(perhaps=2)
    assert kept_ids(path) == ["b"]


async def test_with_a_key_masked_calls_of_others_stay(path: Path) -> None:
    await write(path, routed(), routed(TWIN, call_id="t"), kept=JournalSettings(key=KEY))
    assert forget(DatabasePlace(path), number(ANNA), Privacy("masked", KEY)) == ForgottenCalls(deleted=1)
    assert kept_ids(path) == ["t"]


async def test_a_masked_extension_takes_no_others_with_it(path: Path) -> None:
    await write(path, routed("217", call_id="a"), routed("218", call_id="b"))
    assert forget(DatabasePlace(path), number("217"), Privacy("masked")) == ForgottenCalls()
    assert len(kept_ids(path)) == 2


async def test_a_journal_that_was_kept_in_several_ways_is_searched_in_each(path: Path) -> None:
    for mode in ("plain", "masked", "hashed"):
        await write(path, routed(call_id=mode), kept=settings(mode))  # type: ignore[arg-type]
    assert forget(DatabasePlace(path), number(ANNA), HASHED) == ForgottenCalls(deleted=2, perhaps=1)


async def test_counting_removes_nothing(path: Path) -> None:
    await write(path, routed(), routed(BOB, call_id="b"), kept=settings("plain"))
    before = path.read_bytes()
    assert find_traces(DatabasePlace(path), number(ANNA), Privacy("plain")) == ForgottenCalls(deleted=1, cleaned=1)
    assert path.read_bytes() == before
