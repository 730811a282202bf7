"""Passwords of telephones in the page: one session each, put again into a PBX that forgot, and never written down."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import cast

import pytest
from structlog.testing import capture_logs

from routing_engine.calls.changes import PbxReached
from routing_engine.calls.ports import JsonField
from routing_engine.dialling.dialler import DialSite
from routing_engine.dialling.passwords import SessionPasswords, SipPassword
from routing_engine.errors import CommandRefused, PbxDown
from routing_engine.settings.dialling import SipKeys
from routing_engine.settings.pbx import Pbx, PbxKeys
from routing_engine.settings.people import User

PBX = Pbx("main", PbxKeys(sip=SipKeys("wss://pbx.example.com:8089/ws")))
USERS = {
    "anna": User("anna", "Anna", phones=("main/201", "main/201-web")),
    "bernd": User("bernd", "Bernd", phones=("main/202",)),
    "carla": User("carla", "Carla", phones=("main/203-web",)),
}
SITE = DialSite(USERS, {"main": PBX}, "AT")


class Kept:
    """A PBX that keeps what is put into it, and says where a phone was forgotten."""

    def __init__(self) -> None:
        self.auth: dict[str, Mapping[str, str]] = {}
        self.unregistered: list[str] = []
        self.status, self.down, self.fails = 200, False, 0
        self.reachable = True

    async def action(self, name: str, fields: Mapping[str, str | Sequence[str]]) -> Sequence[Mapping[str, str]]:
        raise AssertionError("no action is needed")

    async def originate(self, channel: str, fields: Mapping[str, str | Sequence[str]]) -> bool:
        raise AssertionError("nobody dials")

    async def rest(self, method: str, path: str, body: Mapping[str, JsonField] | None = None) -> int:
        if self.down or self.fails > 0:
            self.fails -= 1
            raise PbxDown("away")
        fields = cast("Sequence[Mapping[str, str]]", (body or {})["fields"])
        self.auth[path.rpartition("/")[2]] = {one["attribute"]: one["value"] for one in fields}
        return self.status

    async def unregister(self, endpoint: str) -> None:
        self.unregistered.append(endpoint)

    def lets_in(self, made: SipPassword) -> bool:
        kept = self.auth[made.extension]
        digest = hashlib.md5(f"{made.username}:{made.realm}:{made.password}".encode()).hexdigest()
        return (kept["username"], kept["password_digest"]) == (made.username, f"MD5:{digest}")


def passwords(pbx: Kept, now: float = 1000.0) -> SessionPasswords:
    return SessionPasswords(lambda: SITE, lambda _: pbx, lambda: now)


async def test_a_password_lets_its_telephone_in_for_a_while() -> None:
    pbx = Kept()
    made = await passwords(pbx).make("anna", None)
    assert (made.phone, made.server, made.expires_at) == ("main/201-web", "wss://pbx.example.com:8089/ws", 44_200.0)
    assert pbx.lets_in(made)
    assert made.password not in str(pbx.auth)


async def test_the_password_of_another_session_takes_its_place() -> None:
    pbx = Kept()
    all_ = passwords(pbx)
    first, second = await all_.make("anna", None), await all_.make("anna", "main/201-web")
    assert (pbx.lets_in(first), pbx.lets_in(second)) == (False, True)
    with pytest.raises(CommandRefused):
        await all_.end(first.id, None)
    assert pbx.lets_in(second)


async def test_an_end_leaves_nothing_that_lets_anybody_in() -> None:
    pbx = Kept()
    all_ = passwords(pbx)
    made = await all_.make("anna", None)
    await all_.end(made.id, "anna")
    assert not pbx.lets_in(made)
    assert pbx.unregistered == ["201-web"]
    assert pbx.auth["201-web"]["password_digest"].startswith("MD5:")


async def test_an_end_that_the_pbx_does_not_hear_is_told_again() -> None:
    pbx = Kept()
    all_ = SessionPasswords(lambda: SITE, lambda _: pbx, lambda: 1000.0, [0.0, 0.0])
    made = await all_.make("anna", None)
    pbx.fails = 2
    with pytest.raises(PbxDown):
        await all_.end(made.id, None)
    await asyncio.gather(*[one for one in all_._tasks if "put_again" in str(one)])
    assert not pbx.lets_in(made)


async def test_a_reload_that_takes_the_telephones_away_leaves_no_password_that_counts() -> None:
    pbx, site = Kept(), [SITE]
    all_ = SessionPasswords(lambda: site[0], lambda _: pbx, lambda: 1000.0)
    made = await all_.make("anna", None)
    site[0] = DialSite({}, {"main": Pbx("main", PbxKeys())}, "AT")
    await all_.end(made.id, None)
    assert not pbx.lets_in(made)


async def test_nobody_ends_the_session_of_another_one() -> None:
    pbx = Kept()
    all_ = passwords(pbx)
    made = await all_.make("anna", None)
    with pytest.raises(CommandRefused) as refused:
        await all_.end(made.id, "carla")
    assert (refused.value.code, pbx.lets_in(made)) == ("unknown_credentials", True)


async def test_all_of_a_person_end_with_a_log_out() -> None:
    pbx = Kept()
    all_ = passwords(pbx)
    annas, carlas = await all_.make("anna", None), await all_.make("carla", None)
    await all_.end_all("anna")
    assert (pbx.lets_in(annas), pbx.lets_in(carlas)) == (False, True)


async def test_a_pbx_that_forgot_gets_what_counts_and_else_what_nobody_knows() -> None:
    pbx = Kept()
    all_ = passwords(pbx)
    made = await all_.make("anna", None)
    pbx.auth.clear()
    all_.reached(PbxReached("main"))
    await asyncio.gather(*[one for one in all_._tasks if "put_again" in str(one)])
    assert pbx.lets_in(made)
    assert set(pbx.auth) == {"201-web", "203-web"}


async def test_a_pbx_whose_rest_interface_is_not_there_yet_is_asked_again() -> None:
    pbx = Kept()
    all_ = SessionPasswords(lambda: SITE, lambda _: pbx, lambda: 1000.0, [0.0, 0.0, 0.0])
    pbx.fails = 2
    with capture_logs() as lines:
        all_.reached(PbxReached("main"))
        await asyncio.gather(*all_._tasks)
    assert [one["event"] for one in lines] == ["sip.passwords_put"]
    pbx.down = True
    with capture_logs() as lines:
        all_.reached(PbxReached("main"))
        await asyncio.gather(*all_._tasks)
    assert [(one["event"], one["why"]) for one in lines] == [("sip.not_put", "away")]


async def test_a_password_that_is_too_old_ends_by_itself() -> None:
    pbx = Kept()
    moments = iter([0.0, 1e9])
    all_ = SessionPasswords(lambda: SITE, lambda _: pbx, lambda: next(moments))
    made = await all_.make("anna", None)
    await asyncio.gather(*all_._tasks)
    assert not pbx.lets_in(made)


@pytest.mark.parametrize(
    ("user", "phone", "code"),
    [
        ("nobody", None, "unknown_user"),
        ("bernd", None, "no_phone"),
        ("anna", "main/201", "no_phone"),
        ("anna", "main/203-web", "no_phone"),
    ],
)
async def test_a_password_is_for_a_telephone_in_the_page_of_the_user(user: str, phone: str | None, code: str) -> None:
    with pytest.raises(CommandRefused) as refused:
        await passwords(Kept()).make(user, phone)
    assert refused.value.code == code


async def test_what_asterisk_does_not_take_is_no_password() -> None:
    pbx = Kept()
    pbx.status = 403
    with pytest.raises(CommandRefused, match="status 403"):
        await passwords(pbx).make("anna", None)
    pbx.down = True
    with pytest.raises(PbxDown):
        await passwords(pbx).make("anna", None)


async def test_no_log_line_and_no_repr_has_a_password() -> None:
    pbx = Kept()
    all_ = passwords(pbx)
    with capture_logs() as lines:
        made = await all_.make("anna", None)
        await all_.end(made.id, None)
    digest = hashlib.md5(f"{made.username}:asterisk:{made.password}".encode()).hexdigest()
    shown = f"{lines} {made!r} {all_._sessions!r}"
    assert not {made.password, digest} & set(shown.replace("'", " ").split())
    assert made.password not in shown
