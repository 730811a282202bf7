"""`/v1/sip-credentials` with people who log in and out: the own telephone, and no longer than the log-in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from routing_engine.dialling.passwords import SipPassword
from routing_engine.errors import CommandRefused, PbxDown
from routing_engine.web.sip_api import SipApi
from tests.web.people import KEY, NOW, PeopleWeb, people_web

pytestmark = pytest.mark.io


class Telephones:
    """Makes passwords, and notes which were ended for whom."""

    def __init__(self) -> None:
        self.made = 0
        self.ended: list[tuple[str, str | None]] = []
        self.over = asyncio.Event()
        self.down = False

    async def make(self, user_key: str, wanted: str | None) -> SipPassword:
        if self.down:
            raise PbxDown("the PBX 'main' cannot be reached")
        self.made += 1
        phone = wanted or f"main/{user_key}-web"
        return SipPassword(f"s{self.made}", user_key, phone, "u", "p4ssw0rd", "asterisk", "wss://pbx:8089/ws", NOW)

    async def end(self, session_id: str, user: str | None) -> None:
        if user not in (None, "anna"):
            raise CommandRefused("unknown_credentials", "there are no such credentials", "they may be over already")
        self.ended.append((session_id, user))
        self.over.set()


@asynccontextmanager
async def telephones(folder: Path) -> AsyncIterator[tuple[PeopleWeb, Telephones]]:
    made = Telephones()
    sip = SipApi(made)
    async with people_web(folder, more=[sip]) as site:
        sip.start()
        site.people.sessions.ended = sip.review
        try:
            yield site, made
        finally:
            await sip.close()


async def test_a_person_gets_a_password_for_the_own_telephone_alone(tmp_path: Path) -> None:
    async with telephones(tmp_path) as (site, _):
        anna = await site.logged_in("anna")
        status, made = await anna.ask("POST", "/v1/sip-credentials", json={})
        assert (status, made["uri"], made["password"]) == (201, "sip:anna-web@pbx:8089", "p4ssw0rd")
        assert made["expires_at"].endswith("Z")
        status, refused = await anna.ask("POST", "/v1/sip-credentials", json={"user": "bert"})
        assert (status, refused["error"]["code"]) == (403, "no_right")


async def test_a_person_ends_the_own_password_alone(tmp_path: Path) -> None:
    async with telephones(tmp_path) as (site, made):
        anna, bert = await site.logged_in("anna"), await site.logged_in("bert")
        await anna.ask("POST", "/v1/sip-credentials", json={})
        status, refused = await bert.ask("DELETE", "/v1/sip-credentials/s1")
        assert (status, refused["error"]["code"]) == (404, "unknown_credentials")
        assert (await anna.ask("DELETE", "/v1/sip-credentials/s1"))[0] == 204
        assert made.ended == [("s1", "anna")]


async def test_who_logs_out_has_no_telephone_any_more(tmp_path: Path) -> None:
    async with telephones(tmp_path) as (site, made):
        anna = await site.logged_in("anna")
        await anna.ask("POST", "/v1/sip-credentials", json={})
        assert (await anna.ask("DELETE", "/v1/session"))[0] in (200, 204)
        async with asyncio.timeout(30):
            await made.over.wait()
        assert made.ended == [("s1", None)]


async def test_a_log_out_elsewhere_leaves_the_telephone(tmp_path: Path) -> None:
    async with telephones(tmp_path) as (site, made):
        here, there = await site.logged_in("anna"), await site.logged_in("anna")
        await here.ask("POST", "/v1/sip-credentials", json={})
        await there.ask("DELETE", "/v1/session")
        # Whoever is asked after it has waited for the look that the log-out has caused.
        assert (await here.ask("GET", "/v1/calls"))[0] == 200
        assert made.ended == []


async def test_without_the_right_and_without_a_pbx_there_is_none(tmp_path: Path) -> None:
    async with telephones(tmp_path) as (site, made):
        program = site.browser()
        headers = {"Authorization": f"Bearer {KEY}"}
        status, _ = await program.ask("POST", "/v1/sip-credentials", headers=headers, json={"user": "anna"})
        assert (status, made.made) == (403, 0)
        made.down = True
        anna = await site.logged_in("anna")
        status, refused = await anna.ask("POST", "/v1/sip-credentials", json={})
        assert (status, refused["error"]["code"]) == (503, "pbx_down")
