"""Own accounts over the API: to the vendor's page and back, the cookie of the browser, and states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from routing_engine.calls.own_accounts import AccountState
from routing_engine.calls.ports import CallLog, RecordDesk
from routing_engine.desk.accounts import OwnAccounts
from routing_engine.errors import ProviderRefused
from routing_engine.settings.people import User
from routing_engine.web.accounts_api import AccountsApi
from routing_engine.web.requests import Actor, ApiAnswer, ApiError, ApiRequest, Peer
from tests.desk.sites import Answers, Desk, desk_site
from tests.fakes import FakeClock

ANNA = Actor("anna", frozenset({"calls.read"}), User("anna", "Anna"), {}, "s")


@dataclass
class LogIn:
    account: FakeAccount
    state: str = "s-1"

    def address(self) -> str:
        return "https://crm.example.com/authorize?state=s-1"

    async def finish(self, answer: Mapping[str, str]) -> None:
        if "error" in answer:
            raise ProviderRefused("crm: somebody said no")
        self.account.known = AccountState("connected", 1_796_000_000.0)


@dataclass
class FakeAccount:
    known: AccountState | None = None
    redirects: list[str] = field(default_factory=list)

    async def state(self) -> AccountState | None:
        return self.known

    async def connect(self, redirect_url: str) -> LogIn:
        self.redirects.append(redirect_url)
        return LogIn(self)

    async def disconnect(self) -> None:
        self.known = None

    def call_log(self) -> CallLog | None:
        return None

    def record_desk(self) -> RecordDesk | None:
        return None


@dataclass
class Room:
    """The addresses of accounts without HTTP."""

    account: FakeAccount = field(default_factory=FakeAccount)
    said: str = ""

    def __post_init__(self) -> None:
        site = desk_site(Answers(), Desk())
        accounts = OwnAccounts(lambda _: {"crm": self.account}, FakeClock())
        self.api = AccountsApi(accounts, lambda: site, lambda: self.said)

    async def ask(self, method: str, path: str, **more: Any) -> ApiAnswer:
        row = next(one for one in self.api.endpoints() if one.method == method and one.pattern.match(path))
        match = row.pattern.match(path)
        assert match is not None
        peer = more.pop("peer", Peer(secure=True))
        answer = await row.answer(ApiRequest(more.pop("actor", ANNA), match.groupdict(), peer=peer, **more))
        assert isinstance(answer, ApiAnswer)
        return answer

    async def back(self, cookie: str, **query: str) -> str:
        answer = await self.ask("GET", "/v1/accounts/back", query=query, headers={"Cookie": cookie})
        assert answer.status == 303
        return answer.headers["Location"]


async def connected(room: Room) -> str:
    """Leave for the vendor's page; the cookie that the browser keeps."""
    answer = await room.ask("POST", "/v1/accounts/crm", headers={"Host": "calls.example.com"})
    assert answer.body["address"] == "https://crm.example.com/authorize?state=s-1"
    (cookie,) = answer.cookies
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    return cookie.partition(";")[0]


async def test_an_account_is_connected_and_shown_and_taken_away() -> None:
    room = Room()
    cookie = await connected(room)
    assert await room.back(cookie, code="c", state="s-1") == "/settings?account=crm&result=connected"
    shown = (await room.ask("GET", "/v1/accounts")).body
    account = {"state": "connected", "expires_at": "2026-11-30T00:53:20.000Z"}
    assert shown == {"accounts": [{"integration": "crm", "title": "crm", "account": account}]}
    assert (await room.ask("DELETE", "/v1/accounts/crm")).status == 204
    assert room.account.known is None


@pytest.mark.parametrize("cookie", ["", "__Host-routing_engine_account=guess", "other=1"])
async def test_the_way_back_counts_in_the_browser_that_left_and_in_no_other(cookie: str) -> None:
    room = Room()
    await connected(room)
    assert await room.back(cookie, code="c", state="s-1") == "/settings?result=foreign"
    assert room.account.known is None


async def test_who_said_no_comes_back_all_the_same_and_nothing_of_the_answer_is_shown() -> None:
    room = Room()
    cookie = await connected(room)
    leads = await room.back(cookie, error="access_denied<script>", state="s-1")
    assert leads == "/settings?result=failed"


async def test_the_way_back_leads_to_the_address_that_is_written() -> None:
    room = Room(said="https://calls.example.com")
    await room.ask("POST", "/v1/accounts/crm", headers={"Host": "evil.example.com"})
    assert room.account.redirects == ["https://calls.example.com/v1/accounts/back"]


async def test_a_system_without_accounts_says_what_it_needs() -> None:
    with pytest.raises(ApiError) as caught:
        await Room().ask("POST", "/v1/accounts/erp")
    assert (caught.value.status, caught.value.code) == (404, "no_accounts")


async def test_a_program_has_no_account() -> None:
    with pytest.raises(ApiError):
        await Room().ask("GET", "/v1/accounts", actor=Actor("website"))
