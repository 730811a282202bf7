"""Whose phone rings, and whose part of a call is ended: a person has the own, a program all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from routing_engine.calls.call import Call, Leg
from routing_engine.dialling.control import TransferHow
from routing_engine.dialling.dialler import DialWish
from routing_engine.errors import UnknownCall
from routing_engine.settings.people import Role, User
from routing_engine.web.dial_api import DialApi
from routing_engine.web.requests import Actor, ApiAnswer, ApiError, ApiRequest

ANNAS = Call("c1", "main", "re-c1", "outbound", 1.0, user="anna", legs=(Leg("main/201", "anna"),))
BERNDS = Call("c2", "main", "1.2", "inbound", 1.0, legs=(Leg("main/202", "bernd"),))
PROGRAM = Actor("crm", frozenset({"dial"}))


def person(key: str, role: Role = "agent") -> Actor:
    return Actor(key, frozenset({"dial"}), User(key, key.title(), role=role))


class Noted:
    """Who dials and does things, and what was asked of him."""

    def __init__(self) -> None:
        self.wishes: list[DialWish] = []
        self.done: list[tuple[str, str, str | None]] = []

    async def dial(self, wish: DialWish) -> Call:
        self.wishes.append(wish)
        return ANNAS

    async def call(self, call_id: str) -> Call | None:
        return {"c1": ANNAS, "c2": BERNDS}.get(call_id)

    async def hang_up(self, call: Call, user: str | None) -> None:
        self.done.append(("hang_up", call.id, user))

    async def transfer(self, call: Call, user: str | None, to: str, how: TransferHow) -> None:
        self.done.append((how, call.id, user))

    async def hold(self, call: Call, user: str | None) -> None:
        self.done.append(("hold", call.id, user))

    async def resume(self, call: Call, user: str | None) -> None:
        self.done.append(("resume", call.id, user))

    async def mute_recording(self, call: Call, user: str | None, muted: bool) -> None:
        self.done.append((f"mute {muted}", call.id, user))


def asked(noted: Noted, actor: Actor, path: str, call_id: str = "", **body: Any) -> ApiAnswer:
    rows = {row.path: row for row in DialApi(noted, noted, noted).endpoints()}
    request = ApiRequest(actor, {"id": call_id}, body=body)

    async def ask() -> ApiAnswer:
        answer = await rows[path].answer(request)
        assert isinstance(answer, ApiAnswer)
        return answer

    return asyncio.run(ask())


ONE = "/v1/calls/{id}"
EVERY = [f"{ONE}/{what}" for what in ("hangup", "transfer", "hold", "resume", "mute_recording")]


def test_a_person_dials_for_oneself() -> None:
    noted = Noted()
    assert asked(noted, person("anna"), "/v1/calls", to="0676").status == 202
    assert [(one.user, one.free) for one in noted.wishes] == [("anna", False)]


@pytest.mark.parametrize("role", ["agent", "supervisor", "administrator"])
def test_nobody_lets_the_phone_of_another_one_ring(role: Role) -> None:
    with pytest.raises(ApiError) as refused:
        asked(Noted(), person("bernd", role), "/v1/calls", to="0676", user="anna")
    assert refused.value.status == 403


def test_a_program_says_for_whom() -> None:
    noted = Noted()
    asked(noted, PROGRAM, "/v1/calls", to="0676", user="anna")
    assert [(one.user, one.free, one.by) for one in noted.wishes] == [("anna", True, "crm")]
    with pytest.raises(ApiError, match="'user' is missing"):
        asked(noted, PROGRAM, "/v1/calls", to="0676")


@pytest.mark.parametrize("path", EVERY)
def test_an_agent_learns_nothing_of_a_call_of_others_and_does_nothing_to_it(path: str) -> None:
    noted = Noted()
    with pytest.raises(UnknownCall) as foreign:
        asked(noted, person("anna"), path, "c2", how="blind", to="202")
    with pytest.raises(UnknownCall) as absent:
        asked(noted, person("anna"), path, "c9", how="blind", to="202")
    assert str(foreign.value).replace("c2", "c9") == str(absent.value)
    assert noted.done == []


@pytest.mark.parametrize(
    ("actor", "call_id", "whose"),
    [
        (person("anna"), "c1", "anna"),
        (person("carla", "supervisor"), "c1", None),
        (person("anna", "supervisor"), "c1", "anna"),
        (PROGRAM, "c1", None),
    ],
)
def test_a_call_is_ended_for_who_asks_or_for_all(actor: Actor, call_id: str, whose: str | None) -> None:
    noted = Noted()
    asked(noted, actor, f"{ONE}/hangup", call_id)
    assert noted.done == [("hang_up", call_id, whose)]


def test_what_is_misspelt_is_told() -> None:
    with pytest.raises(ApiError, match="write blind or attended or cancel"):
        asked(Noted(), PROGRAM, f"{ONE}/transfer", "c1", how="warm", to="202")
    with pytest.raises(ApiError, match="'to' is missing"):
        asked(Noted(), PROGRAM, f"{ONE}/transfer", "c1", how="blind")
    with pytest.raises(ApiError, match="neither true nor false"):
        asked(Noted(), PROGRAM, f"{ONE}/mute_recording", "c1", muted="yes")
