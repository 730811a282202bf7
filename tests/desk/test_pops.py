"""Who is calling, shown by CRMs: for whose telephone rings, until the call is somebody else's, whatever comes when."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from routing_engine.calls.call import Call, CallContact, Leg
from routing_engine.calls.ports import EntryUser, LogEntry
from routing_engine.desk.pops import CallPops, Screens
from routing_engine.errors import ProviderRefused, ProviderUnreachable

ANNA, BERND = Leg("main/201", "anna", 1.0), Leg("main/202", "bernd", 1.0)
RINGING = Call("c1", "main", "1.1", "inbound", 1.0, from_="+436641112223", to="+4312345601", legs=(ANNA, BERND))


@dataclass
class Shows:
    """A system that keeps what it shows to whom; `gate` holds it up, `error` is what it raises."""

    done: list[str] = field(default_factory=list)
    gate: asyncio.Event | None = None
    error: Exception | None = None
    needs_record: bool = False

    async def pop(self, entry: LogEntry) -> Mapping[str, str] | None:
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        if self.needs_record and entry.contact is None:
            return None
        self.done.append(f"shown to {entry.user.id}")
        return {"call": f"x-{entry.user.id}"}

    async def close(self, entry: LogEntry, shown: Mapping[str, str]) -> None:
        self.done.append(f"closed {shown['call']} of {entry.user.id}")


class Room:
    """The pops of one system, and a call that changes."""

    def __init__(self, screen: Shows) -> None:
        self.screen = screen
        self.pops = CallPops(lambda: Screens({"crm": screen}, self.person))

    async def person(self, _: str, user: str) -> EntryUser:
        return EntryUser({"anna": "u1", "bernd": "u2"}.get(user, ""))

    async def change(self, *calls: Call) -> list[str]:
        for call in calls:
            self.pops.changed(call)
        await self.settle()
        return self.screen.done

    async def settle(self) -> None:
        while tasks := [*self.pops._tasks.values()]:
            await asyncio.gather(*tasks)
            await asyncio.sleep(0)  # lets the ends of tasks be noted


def answered(by: Leg) -> Call:
    """The call as it is once one of them has it."""
    legs = tuple(
        replace(leg, answered_at=2.0, result="answered") if leg is by else replace(leg, left_at=2.0, result="elsewhere")
        for leg in (ANNA, BERND)
    )
    return replace(RINGING, state="talking", user=by.user, answered_at=2.0, legs=legs)


async def test_everybody_who_rings_sees_it_and_who_loses_sees_it_go() -> None:
    room = Room(Shows())
    assert sorted(await room.change(RINGING)) == ["shown to u1", "shown to u2"]
    assert (await room.change(answered(ANNA)))[2:] == ["closed x-u2 of u2"]
    assert (await room.change(replace(answered(ANNA), state="ended")))[3:] == ["closed x-u1 of u1"]


async def test_the_same_change_twice_shows_nothing_twice() -> None:
    room = Room(Shows())
    assert len(await room.change(RINGING, RINGING, replace(RINGING, version=2))) == 2


async def test_a_call_that_is_over_before_it_was_shown_is_not_left_on_a_screen() -> None:
    room = Room(Shows(gate=asyncio.Event()))
    room.pops.changed(RINGING)
    await asyncio.sleep(0)
    room.pops.changed(replace(RINGING, state="ended"))
    assert room.screen.gate is not None
    room.screen.gate.set()
    await room.settle()
    assert sorted(room.screen.done) == ["closed x-u1 of u1", "closed x-u2 of u2", "shown to u1", "shown to u2"]
    assert room.pops._shown == {}


async def test_a_system_that_needs_the_record_shows_it_once_it_is_known() -> None:
    room = Room(Shows(needs_record=True))
    assert await room.change(RINGING) == []
    known = replace(RINGING, contact=CallContact("found", "crm", "contact", "7", "Anna"))
    assert sorted(await room.change(known)) == ["shown to u1", "shown to u2"]


async def test_a_record_of_another_system_is_no_record_here() -> None:
    room = Room(Shows(needs_record=True))
    assert await room.change(replace(RINGING, contact=CallContact("found", "erp", "customer", "K1"))) == []


@pytest.mark.parametrize("about", [{"direction": "outbound"}, {"direction": "internal"}, {"merged_into": "c2"}])
async def test_only_inbound_calls_are_shown(about: dict[str, object]) -> None:
    room = Room(Shows())
    assert await room.change(replace(RINGING, **about)) == []  # type: ignore[arg-type]


async def test_who_is_nobody_there_is_left_out() -> None:
    room = Room(Shows())
    stranger = replace(RINGING, legs=(Leg("main/203", "carl", 1.0),))
    assert await room.change(stranger, replace(stranger, state="ended")) == []


@pytest.mark.parametrize("error", [ProviderRefused("crm: no right"), ProviderUnreachable("crm: no answer")])
async def test_a_system_that_fails_holds_nobody_up_and_is_tried_with_the_next_ring(error: Exception) -> None:
    room = Room(Shows(error=error))
    await room.change(RINGING, replace(RINGING, state="ended"))
    room.screen.error = None
    assert len(await room.change(replace(RINGING, id="c2"))) == 2
