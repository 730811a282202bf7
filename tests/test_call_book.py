"""The one place where a call changes: facts, decision, people and deliveries, joined, in order, kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from routing_engine.call_book import CallBook
from routing_engine.calls.call import Call, CallContact, CallDelivery, CallRecording, Leg, Note
from routing_engine.calls.changes import CallChanged, ChangeKind
from routing_engine.calls.requests import CallEdit, CallQuery
from routing_engine.calls.tracker import TrackedCall
from routing_engine.core.events import Event
from routing_engine.errors import StaleVersion, UnknownCall
from routing_engine.storage.database import Database
from routing_engine.storage.place import DatabasePlace
from tests.journal.calls import Log, routed

pytestmark = pytest.mark.io

AT = 1764500000.25
RINGING = Call("a", "main", "1764500000.7", "inbound", AT, from_="+436641234567", linkedids=("1764500000.7",))
TALKING = replace(RINGING, state="talking", answered_at=AT + 5, legs=(Leg("main/201", "anna"),))
ENDED = replace(TALKING, state="ended", outcome="answered", ended_at=AT + 60)
SOLD = CallEdit(disposition="sold")
ANNA = CallContact("found", "crm", "contact", "7", "Anna Huber")


class Told:
    """What the book publishes."""

    def __init__(self) -> None:
        self.changes: list[CallChanged] = []

    def __call__(self, event: Event) -> None:
        assert isinstance(event, CallChanged)
        self.changes.append(event)

    @property
    def kinds(self) -> list[tuple[ChangeKind, ...]]:
        return [one.kinds for one in self.changes]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.db"


@pytest.fixture
def told() -> Told:
    return Told()


@asynccontextmanager
async def opened(path: Path, told: Told | None = None, now: float = AT - 100, **more: Any) -> AsyncIterator[CallBook]:
    database = Database(DatabasePlace(path), retry_s=0.01)
    await database.open()
    book = CallBook(database, told or Told(), now=lambda: now, **more)
    await book.open()
    try:
        yield book
        assert await database.flush()
    finally:
        await database.close(30)


async def take(book: CallBook, call: Call, *kinds: ChangeKind) -> None:
    await book.take([TrackedCall(call, kinds)])


async def kept(path: Path, call_id: str = "a") -> Call | None:
    """A call as an engine finds it that starts now."""
    async with opened(path) as book:
        return await book.call(call_id)


# ------------------------------------------------------------------------------------ what the PBX says


async def test_a_call_is_kept_and_told_with_a_version_that_grows(path: Path, told: Told) -> None:
    async with opened(path, told) as book:
        await take(book, RINGING, "call.started")
        await take(book, TALKING, "call.answered")
        await take(book, ENDED, "call.ended")
    assert told.kinds == [("call.started",), ("call.answered",), ("call.ended",)]
    assert [one.call.version for one in told.changes] == [1, 2, 3]
    assert await kept(path) == replace(ENDED, version=3)


async def test_the_same_twice_changes_nothing(path: Path, told: Told) -> None:
    async with opened(path, told) as book:
        await take(book, RINGING, "call.started")
        await take(book, RINGING, "call.started")
    assert told.kinds == [("call.started",)]


async def test_what_people_wrote_stays_when_the_pbx_goes_on(path: Path) -> None:
    async with opened(path) as book:
        await take(book, RINGING, "call.started")
        await book.edit("a", CallEdit((Note(1.0, "anna", "hello"),), add_tags=("vip",), sentiment="positive"))
        await take(book, ENDED, "call.ended")
    call = await kept(path)
    assert call is not None
    assert (call.outcome, call.tags, call.sentiment, call.notes[0].text) == ("answered", ("vip",), "positive", "hello")


async def test_open_calls_are_taken_up_again_and_keep_their_ids(path: Path, told: Told) -> None:
    async with opened(path) as book:
        await take(book, RINGING, "call.started")
    async with opened(path, told, now=AT + 10) as book:
        assert [one.id for one in book.open_calls("main")] == ["a"]
        assert book.open_calls("branch") == []
        await take(book, replace(TALKING, id="b"), "call.started", "call.answered")
        await take(book, replace(ENDED, id="b"), "call.ended")
        assert book.open_calls() == []
    assert told.kinds == [("call.answered",), ("call.ended",)]
    assert {one.call.id for one in told.changes} == {"a"}
    assert await kept(path, "b") is None


async def test_a_call_of_the_history_that_is_there_already_is_no_second_one(path: Path, told: Told) -> None:
    async with opened(path) as book:
        await take(book, ENDED, "call.ended")
    async with opened(path, told, now=AT + 100) as book:
        await take(book, replace(ENDED, id="b"), "call.started", "call.ended")
        assert told.changes == []


async def test_a_pbx_that_was_restored_begins_another_call_with_the_same_id(path: Path, told: Told) -> None:
    async with opened(path, told) as book:
        await take(book, ENDED, "call.ended")
        await take(book, replace(RINGING, id="b", started_at=AT + 5000), "call.started")
    assert {one.call.id for one in told.changes} == {"a", "b"}


async def test_what_was_written_about_a_swallowed_call_goes_over(path: Path) -> None:
    other = replace(RINGING, id="b", pbx_call_id="1764500000.9", linkedids=("1764500000.9",))
    async with opened(path) as book:
        await take(book, RINGING, "call.started")
        await take(book, other, "call.started")
        await book.edit("b", CallEdit((Note(1.0, "anna", "hello"),), add_tags=("vip",)))
        await take(book, replace(other, state="ended", merged_into="a"), "call.updated")
        assert [one.text for one in book.open_calls()[0].notes] == ["hello"]
        become = await book.call("b")
    assert become is not None
    assert (become.id, become.tags) == ("a", ("vip",))


# ------------------------------------------------------------------------------------------ the route


@pytest.mark.parametrize("first", ["call", "decision"])
async def test_the_decision_joins_whichever_comes_first(path: Path, told: Told, first: str) -> None:
    contact = CallContact("routed", "crm", "contact", "0012345678")
    async with opened(path, told, contact_of=lambda _: contact) as book:
        for _ in range(2):
            if first == "call":
                await take(book, RINGING, "call.started")
            else:
                book.route(routed(call_id="1764500000.7"))
            first = "call" if first == "decision" else "decision"
        (call,) = book.open_calls()
    assert call.route is not None
    assert (call.route.name, call.route.rule, call.route.call_id) == ("support", "silver", "1764500000.7")
    assert call.contact == contact


async def test_a_decision_joins_by_any_id_that_the_pbx_has_named_the_call_by(path: Path) -> None:
    async with opened(path) as book:
        book.route(routed(call_id="1764500000.99"))
        await take(book, RINGING, "call.started")
        assert book.open_calls()[0].route is None
        await take(book, replace(RINGING, linkedids=("1764500000.7", "1764500000.99")), "call.updated")
        assert book.open_calls()[0].route is not None


async def test_a_decision_joins_by_the_id_that_the_dialplan_has_handed_on(path: Path) -> None:
    async with opened(path) as book:
        await take(book, replace(RINGING, route_call_id="1764500000.55"), "call.started")
        book.route(routed(call_id="1764500000.55"))
        assert book.open_calls()[0].route is not None


# --------------------------------------------------------------------------------------- people, deliveries


async def test_edits_at_once_all_count_in_order(path: Path) -> None:
    async with opened(path) as book:
        await take(book, ENDED, "call.ended")
    async with opened(path) as book:
        edits = [CallEdit((Note(float(n), "anna", str(n)),), add_tags=(str(n),)) for n in range(20)]
        await asyncio.gather(*(book.edit("a", edit) for edit in edits))
    call = await kept(path)
    assert call is not None
    assert [one.text for one in call.notes] == [str(n) for n in range(20)] == list(call.tags)
    assert call.version == 21


async def test_an_edit_of_a_version_that_is_gone_is_refused(path: Path) -> None:
    async with opened(path) as book:
        await take(book, RINGING, "call.started")
        assert (await book.edit("a", SOLD, version=1)).version == 2
        with pytest.raises(StaleVersion, match="version 2 now, not 1"):
            await book.edit("a", CallEdit(disposition="lost"), version=1)
        assert book.open_calls()[0].disposition == "sold"


async def test_an_edit_that_changes_nothing_is_no_version(path: Path, told: Told) -> None:
    async with opened(path, told) as book:
        await take(book, RINGING, "call.started")
        await book.edit("a", SOLD)
        await book.edit("a", SOLD)
    assert [one.call.version for one in told.changes] == [1, 2]


async def test_an_edit_of_no_call_is_refused(path: Path) -> None:
    async with opened(path) as book:
        with pytest.raises(UnknownCall):
            await book.edit("nobody", SOLD)


async def test_deliveries_are_no_event_and_a_final_recording_is_one(path: Path, told: Told) -> None:
    async with opened(path, told) as book:
        await take(book, ENDED, "call.ended")
        await book.set_delivery("a", "crm", CallDelivery("done", id="7"))
        await book.set_recording("a", CallRecording("pending", 55.0))
        await book.set_recording("a", CallRecording("pending", 55.0))  # said again, which is nothing new
        await book.set_recording("a", CallRecording("attached", 55.0))
        await book.set_contact("a", ANNA)
        await take(book, replace(ENDED, recording=CallRecording("recording")), "call.updated")
    assert told.kinds[1:] == [(), ("recording.ready",), (), ("call.updated",)]
    call = await kept(path)
    assert call is not None
    assert (call.recording.state, call.contact, call.deliveries["crm"].id) == ("attached", ANNA, "7")


# ------------------------------------------------------------------------------------- the plan of deliveries


class Plan:
    """Plans one delivery for every change that is an event, and keeps the calls that it saw."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, tuple[ChangeKind, ...]]] = []

    def __call__(self, connection: Connection, call: Call, kinds: Sequence[ChangeKind]) -> Mapping[str, CallDelivery]:
        connection.execute(text("INSERT INTO about (name, value) VALUES (:name, '')"), {"name": f"v{call.version}"})
        self.seen.append((call.version, tuple(kinds)))
        return {"crm": CallDelivery("waiting")} if "call.ended" in kinds else {}


async def test_what_is_planned_is_saved_with_the_call_and_told(path: Path, told: Told) -> None:
    plan = Plan()
    async with opened(path, told, plan=plan) as book:
        await take(book, ENDED, "call.started", "call.ended")
        assert await book._database.flush()
        assert (await book.edit("a", SOLD)).deliveries == {"crm": CallDelivery("waiting")}
    assert told.kinds == [("call.started", "call.ended"), (), ("call.updated",)]
    assert [one.call.version for one in told.changes] == [1, 2, 3]
    assert plan.seen == [(1, ("call.started", "call.ended")), (3, ("call.updated",))]
    assert await kept(path) == told.changes[-1].call


async def test_changes_that_wait_are_written_together_and_no_kind_is_planned_twice_or_never(path: Path) -> None:
    plan = Plan()
    async with opened(path, plan=plan) as book:
        for call, kind in ((RINGING, "call.started"), (TALKING, "call.answered"), (ENDED, "call.ended")):
            await book.take([TrackedCall(call, (kind,))])  # type: ignore[arg-type]
            await asyncio.sleep(0)
    assert [kind for _, kinds in plan.seen for kind in kinds] == ["call.started", "call.answered", "call.ended"]
    call = await kept(path)
    assert call is not None
    assert (call.state, call.deliveries) == ("ended", {"crm": CallDelivery("waiting")})


# ------------------------------------------------------------------------------------------ what goes


async def test_calls_that_are_too_old_go_with_what_hangs_on_them(path: Path) -> None:
    gone: list[str] = []
    day = 86_400.0
    async with opened(path, now=AT + 10 * day, drop=lambda _, ids: gone.extend(ids)) as book:
        await take(book, ENDED, "call.ended")
        await take(book, replace(ENDED, id="new", pbx_call_id="9.9", started_at=AT + 8 * day), "call.ended")
        assert await book._database.flush()
        assert await book.expire(5) == 1
    assert gone == ["a"]
    assert await kept(path) is None


async def test_a_clock_that_would_empty_the_book_is_doubted(path: Path) -> None:
    async with opened(path, now=AT + 400 * 86_400.0) as book:
        await take(book, ENDED, "call.ended")
        assert await book._database.flush()
        assert await book.expire(365) == 0


async def test_memory_lets_go_of_a_number_that_is_forgotten_but_not_of_a_call_under_way(path: Path) -> None:
    async with opened(path) as book:
        await take(book, ENDED, "call.ended")
        await take(book, replace(RINGING, id="b", pbx_call_id="9.9", linkedids=()), "call.started")
        await book.forget("+436641234567")
        assert list(book._calls) == ["b"]


# ------------------------------------------------------------------------------------------ memory, outages


async def test_memory_stays_flat_and_what_left_it_is_found_and_known(path: Path, told: Told) -> None:
    async with opened(path, told, most_ended=10) as book:
        for n in range(200):
            await take(book, replace(ENDED, id=f"c{n}", pbx_call_id=f"{n}.1", linkedids=(f"{n}.1",)), "call.ended")
            if n % 20 == 0:
                assert await book._database.flush()
        assert await book._database.flush()
        await take(book, replace(ENDED, id="last", pbx_call_id="last"), "call.ended")
        assert len(book._calls) == len(book._by_key) == 10
        await take(book, replace(ENDED, id="again", pbx_call_id="3.1", linkedids=("3.1",)), "call.ended")
        assert told.changes[-1].call.id == "last"
        found, _ = await book.find(CallQuery(limit=1000))
    assert len(found) >= 200


async def test_a_database_that_is_down_costs_no_event_and_takes_all_when_it_is_back(tmp_path: Path, told: Told) -> None:
    state = tmp_path / "state"
    state.write_text("a file, where the folder should be")
    log = Log()
    async with opened(state / "calls.db", told) as book:
        await take(book, RINGING, "call.started")
        await take(book, ENDED, "call.ended")
        assert (await book.edit("a", SOLD)).disposition == "sold"
        state.unlink()
        await log.wait_for("database.up")
    assert told.kinds == [("call.started",), ("call.ended",), ("call.updated",)]
    call = await kept(state / "calls.db")
    assert call is not None
    assert (call.outcome, call.disposition) == ("answered", "sold")


async def test_a_call_of_the_history_is_no_second_one_although_the_database_was_down(tmp_path: Path) -> None:
    state, path, plan = tmp_path / "state", tmp_path / "state" / "calls.db", Plan()
    async with opened(path) as book:
        await take(book, ENDED, "call.ended")
    state.rename(tmp_path / "unplugged")
    state.write_text("a file, where the folder should be")
    log = Log()
    async with opened(path, now=AT + 100, plan=plan) as book:
        await take(book, replace(ENDED, id="again"), "call.started", "call.ended")
        state.unlink()
        (tmp_path / "unplugged").rename(state)
        await log.wait_for("database.up")
        assert await book._database.flush()
        assert await book.call("again") == await book.call("a") == replace(ENDED, version=1)
        assert [one.id for one in (await book.find(CallQuery()))[0]] == ["a"]
    assert plan.seen == []


async def test_calls_of_before_are_taken_up_when_the_database_comes_back_after_the_start(tmp_path: Path) -> None:
    state, path = tmp_path / "state", tmp_path / "state" / "calls.db"
    gone = replace(RINGING, id="b", pbx_call_id="9.9", linkedids=("9.9",))
    async with opened(path) as book:
        await take(book, RINGING, "call.started")
        await book.edit("a", SOLD)
        await take(book, gone, "call.started")
    state.rename(tmp_path / "unplugged")
    state.write_text("a file, where the folder should be")
    log = Log()
    async with opened(path, now=AT + 10) as book:
        await take(book, replace(TALKING, id="new"), "call.started", "call.answered")
        state.unlink()
        (tmp_path / "unplugged").rename(state)
        await log.wait_for("database.up")
        assert await book._database.flush()
        assert [one.id for one in await book.take_up()] == ["b"]
        assert {one.id: one.disposition for one in book.open_calls()} == {"a": "sold", "b": None}
        become = await book.call("new")
    assert become is not None
    assert (become.id, become.answered_at) == ("a", AT + 5)
    assert await kept(path) == become
    assert await kept(path, "new") is None


async def test_whoever_delivers_hears_of_a_change_once_it_is_on_the_disk_whenever_it_came(path: Path) -> None:
    lanes, told = list[str](), list[set[str]]()
    database = Database(DatabasePlace(path))
    await database.open()
    # What comes while a call is written is written behind it: the second time tells of the end.
    loop, written = asyncio.get_running_loop(), 0

    def plan(_: Connection, call: Call, kinds: Sequence[ChangeKind]) -> Mapping[str, CallDelivery]:
        nonlocal written
        written += 1
        lanes.append(f"crm {kinds[-1]}")
        if written == 1:
            asyncio.run_coroutine_threadsafe(take(book, ENDED, "call.ended"), loop).result()
        return {}

    def touched() -> set[str]:
        return {lanes.pop() for _ in range(len(lanes))}

    def saved(found: Collection[str]) -> None:
        told.append(set(found))

    book = CallBook(database, Told(), plan, now=lambda: AT - 100, touched=touched, on_saved=saved)
    await book.open()
    await take(book, RINGING, "call.started")
    while len(told) < 2:
        await database.flush()
        await asyncio.sleep(0)
    assert told == [{"crm call.started"}, {"crm call.ended"}]
    await database.close(30)
