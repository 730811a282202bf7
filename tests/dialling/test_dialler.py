"""Whoever clicks: one call for a click, a phone that is asked once, and nothing where it cannot be."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from routing_engine.calls.call import Call
from routing_engine.calls.changes import DIALLED, CallChanged
from routing_engine.calls.ports import JsonField
from routing_engine.dialling.changes import CallChanges
from routing_engine.dialling.dialler import Dialler, DialSite, DialWish
from routing_engine.errors import AmiRefused, CommandRefused, PbxDown
from routing_engine.settings.dialling import DialKeys
from routing_engine.settings.pbx import Pbx, PbxKeys
from routing_engine.settings.people import User

OTTO, MARIA = "+436765556667", "+436641112223"
SITE = DialSite(
    {"anna": User("anna", "Anna", phones=("main/201", "other/7")), "none": User("none", "None")},
    {"main": Pbx("main", PbxKeys(dial=DialKeys(context="out"))), "other": Pbx("other", PbxKeys())},
    "AT",
)


class Exchange:
    """A PBX and the book of its calls: a phone that is to ring is a call at once."""

    def __init__(self) -> None:
        self.changes = CallChanges()
        self.rung: list[Mapping[str, str | Sequence[str]]] = []
        self.calls: dict[str, Call] = {}
        self.rings, self.reachable = True, True
        self.refuses: Exception | None = None
        self.asked, self.goes_on = asyncio.Event(), asyncio.Event()
        self.goes_on.set()
        self.dialler = Dialler(lambda: SITE, self, lambda _: self, self.changes, lambda: f"c{len(self.rung) + 1}")

    async def action(self, name: str, fields: Mapping[str, str | Sequence[str]]) -> Sequence[Mapping[str, str]]:
        raise AssertionError("only phones ring")

    async def rest(self, method: str, path: str, body: Mapping[str, JsonField] | None = None) -> int:
        raise AssertionError("only phones ring")

    async def originate(self, channel: str, fields: Mapping[str, str | Sequence[str]]) -> bool:
        self.rung.append(fields)
        self.asked.set()
        await self.goes_on.wait()
        if self.refuses is not None:
            raise self.refuses
        if self.rings:
            self.begin(channel.removeprefix(DIALLED), str(fields["Exten"]))
        return self.rings

    def begin(self, call_id: str, to: str) -> Call:
        call = Call(call_id, "main", DIALLED + call_id, "outbound", 1.0, from_="201", to=to, user="anna")
        self.calls[call_id] = call
        self.changes.heard(CallChanged(call, ("call.started",)))
        return call

    def open_calls(self, pbx: str | None = None) -> list[Call]:
        return [one for one in self.calls.values() if one.state != "ended"]

    async def call(self, call_id: str) -> Call | None:
        return self.calls.get(call_id)

    async def refused(self, **wish: str) -> str:
        with pytest.raises(CommandRefused) as refused:
            await self.dialler.dial(DialWish(**{"user": "anna", "to": OTTO, **wish}))  # type: ignore[arg-type]
        return refused.value.code


async def test_the_phone_of_a_click_rings_once_however_often_one_clicks() -> None:
    exchange = Exchange()
    clicks = [exchange.dialler.dial(DialWish("anna", one)) for one in ("0676 5556667", OTTO, "tel:+43-676-5556667")]
    assert {one.id for one in await asyncio.gather(*clicks)} == {"c1"}
    assert len(exchange.rung) == 1


async def test_a_click_before_a_restart_of_ours_is_found_again() -> None:
    exchange = Exchange()
    before = exchange.begin("c-old", OTTO)
    assert await exchange.dialler.dial(DialWish("anna", OTTO)) is before
    assert exchange.rung == []


async def test_whoever_goes_away_leaves_a_phone_that_rings() -> None:
    exchange = Exchange()
    exchange.goes_on.clear()
    gone = asyncio.create_task(exchange.dialler.dial(DialWish("anna", OTTO)))
    await exchange.asked.wait()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    exchange.goes_on.set()
    assert (await exchange.dialler.dial(DialWish("anna", OTTO))).id == "c1"
    assert len(exchange.rung) == 1


async def test_another_number_waits_until_the_first_is_answered() -> None:
    exchange = Exchange()
    call = await exchange.dialler.dial(DialWish("anna", OTTO))
    assert await exchange.refused(to=MARIA) == "under_way"
    exchange.calls[call.id] = replace(call, state="talking")
    assert (await exchange.dialler.dial(DialWish("anna", MARIA))).to == MARIA


async def test_a_call_for_help_waits_for_nothing() -> None:
    exchange = Exchange()
    await exchange.dialler.dial(DialWish("anna", OTTO))
    assert (await exchange.dialler.dial(DialWish("anna", "112"))).to == "112"


async def test_a_key_of_a_request_is_one_call_and_no_other_request() -> None:
    exchange = Exchange()
    wish = DialWish("anna", OTTO, by="crm", key="k1")
    first = await exchange.dialler.dial(wish)
    exchange.calls[first.id] = replace(first, state="ended")
    assert (await exchange.dialler.dial(wish)).state == "ended"
    assert await exchange.refused(to=MARIA, by="crm", key="k1") == "key_used"
    assert (await exchange.dialler.dial(replace(wish, by="other"))).id == "c2"


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"user": "nobody"}, "unknown_user"),
        ({"user": "none"}, "no_phone"),
        ({"phone": "main/202"}, "no_phone"),
        ({"phone": "other/7"}, "no_dialling"),
        ({"to": "*21#"}, "bad_number"),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_rings(wish: dict[str, str], code: str) -> None:
    exchange = Exchange()
    assert await exchange.refused(**wish) == code
    assert exchange.rung == []


async def test_a_phone_that_does_not_ring_is_told_and_can_be_tried_again() -> None:
    exchange = Exchange()
    exchange.rings = False
    assert await exchange.refused() == "no_phone"
    exchange.refuses = AmiRefused("Permission denied")
    assert await exchange.refused() == "pbx_refused"
    exchange.rings, exchange.refuses = True, None
    assert (await exchange.dialler.dial(DialWish("anna", OTTO))).state == "ringing"


async def test_a_right_that_was_given_too_late_is_told_to_need_a_restart() -> None:
    exchange = Exchange()
    exchange.refuses = AmiRefused("Permission denied")
    with pytest.raises(CommandRefused, match=r"Permission denied; see routing-engine pbx check; .* after a restart"):
        await exchange.dialler.dial(DialWish("anna", OTTO))


async def test_a_pbx_that_is_away_is_told() -> None:
    exchange = Exchange()
    exchange.reachable = False
    with pytest.raises(PbxDown):
        await exchange.dialler.dial(DialWish("anna", OTTO))
    assert exchange.rung == []
