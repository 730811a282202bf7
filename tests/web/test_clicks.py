"""Clicks on a number in a CRM, as Bitrix24 sends them: a form, a token, the person's telephone, once; and forgers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from routing_engine.calls.call import Call
from routing_engine.dialling.dialler import DialWish
from routing_engine.errors import CommandRefused
from routing_engine.settings.integration import Integration
from routing_engine.settings.people import People, User
from routing_engine.web.access import Access
from routing_engine.web.api import ApiListener
from routing_engine.web.clicks_api import ClicksApi
from routing_engine.web.keys import MOST_WRONG
from tests.providers.crm.contract import SECRETS, connection

pytestmark = pytest.mark.io

TOKEN = "t" * 32
FORM = {
    "event": "ONEXTERNALCALLSTART",
    "data[PHONE_NUMBER]": "0664 1234567",
    "data[PHONE_NUMBER_INTERNATIONAL]": "+436641234567",
    "data[USER_ID]": "9",
    "data[CALL_ID]": "externalCall.77",
    "auth[application_token]": TOKEN,
}


#: As `clicktodialparam` of PhoneBridge has asked for it: docs/crm/zoho.md.
ZOHO_FORM = {"tonumber": "+436641234567", "user": "z7", "secret": TOKEN}
ZOHO = """
domain: zoho.eu
org: '20081234567'
auth: {oauth2: {client_id: app, client_secret: '${SECRET}', refresh_token: '${REFRESH}'}}
"""


@dataclass
class Site:
    """A listener that takes clicks, and what was dialled."""

    integrations: dict[str, Integration]
    users: dict[str, User]
    dialled: list[DialWish] = field(default_factory=list)
    error: CommandRefused | None = None
    url: str = ""
    session: aiohttp.ClientSession | None = None

    async def dial(self, wish: DialWish) -> Call:
        if self.error is not None:
            raise self.error
        self.dialled.append(wish)
        return Call("c1", "main", "1.1", "outbound", 1.0)

    async def click(self, name: str = "crm", **form: str) -> tuple[int, str]:
        told = {key: value for key, value in {**FORM, **form}.items() if value}
        return await self.send(name, data=told)

    async def send(self, name: str = "crm", **more: Any) -> tuple[int, str]:
        assert self.session is not None
        async with self.session.post(f"{self.url}/v1/clicks/{name}", **more) as answer:
            body = await answer.json()
            return answer.status, body.get("error", {}).get("code", "")


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setitem(SECRETS, "CLICKS", TOKEN)
    text = "server: https://acme.bitrix24.com\nauth: {webhook: {user: '1', code: '${SECRET}'}}\n"
    setup = connection("bitrix24", f"{text}click_secret: '${{CLICKS}}'\n", tmp_path)
    without = connection("bitrix24", text, tmp_path)
    zoho = connection("zoho", f"{ZOHO}click_secret: '${{CLICKS}}'\n", tmp_path)
    integrations = {
        "zoho": Integration("zoho", "zoho", zoho.models, zoho.settings),
        "crm": Integration("crm", "bitrix24", setup.models, setup.settings),
        "other": Integration("other", "bitrix24", without.models, without.settings),
    }
    found = Site(integrations, {"anna": User("anna", "Anna", crm={"crm": "9", "zoho": "z7"})})
    api = ApiListener((ClicksApi(lambda: found, found.dial, lambda: 0.0),), Access((), People(), lambda: 0.0))
    await api.listen("127.0.0.1", 0)
    found.url = f"http://{api.addresses[0]}"
    async with aiohttp.ClientSession() as found.session:
        yield found
    await api.stop()


async def test_a_click_lets_the_persons_telephone_ring(site: Site) -> None:
    assert await site.click() == (202, "")
    assert site.dialled == [DialWish("anna", "+436641234567", by="clicks of crm", key="externalCall.77")]


async def test_a_click_in_zoho_lets_the_persons_telephone_ring_and_proves_itself(site: Site) -> None:
    assert await site.send("zoho", data=ZOHO_FORM) == (202, "")
    assert site.dialled == [DialWish("anna", "+436641234567", by="clicks of zoho", key="")]
    assert await site.send("zoho", data={**ZOHO_FORM, "secret": "guess"}) == (403, "not_proved")


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "t"])
async def test_whoever_does_not_prove_to_be_the_system_dials_nothing(site: Site, token: str) -> None:
    assert await site.click(**{"auth[application_token]": token}) == (403, "not_proved")
    assert site.dialled == []


async def test_who_guesses_is_not_listened_to_any_more(site: Site) -> None:
    for _ in range(MOST_WRONG):
        await site.click(**{"auth[application_token]": "guess"})
    assert await site.click() == (429, "too_many_tries")
    assert site.dialled == []


async def test_nobody_learns_which_integrations_there_are(site: Site) -> None:
    answers = {await site.click(name) for name in ("other", "nowhere", "CRM")}
    assert answers == {(403, "not_proved")}


async def test_who_is_nobody_of_ours_has_no_telephone_to_ring(site: Site) -> None:
    assert await site.click(**{"data[USER_ID]": "10"}) == (404, "unknown_user")


async def test_what_cannot_be_dialled_says_why(site: Site) -> None:
    site.error = CommandRefused("caller_id_refused", "the trunk may not show it", "look at caller_ids")
    assert await site.click() == (409, "caller_id_refused")


STRANGE = ({"auth": "x"}, {"auth[application_token][x]": "y"}, {"data": "9"}, {"[[": "]"})


@pytest.mark.parametrize("form", STRANGE)
async def test_a_strange_form_is_no_click(site: Site, form: dict[str, str]) -> None:
    status, _ = await site.send(data={**form, "auth[application_token]": ""})
    assert status == 403


async def test_the_same_as_json_is_a_click_too(site: Site) -> None:
    told = {"data": {"PHONE_NUMBER_INTERNATIONAL": "+436641234567", "USER_ID": 9}, "auth": {"application_token": TOKEN}}
    assert (await site.send(json=told))[0] == 202
