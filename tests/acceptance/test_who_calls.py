"""Who is calling, on a real Asterisk: a record for an unknown caller, the card, the CRM's own screen, and the entry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from rig.stage import desk

from .engine import Engine, write_configuration
from .outside import ANNA, Outside, outside, write
from .stage import House, Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

KEY = "k" * 20
ROUTES = {
    "to_anna": "default: {to: {extension: '1001'}}\n",
    "to_berta": "default: {to: {extension: '1002'}}\n",
    "by_record": (
        "sources: [{integration: kontor, model: contact, search: {by: caller}, rules: [{to: {extension: '1001'}}]}]\n"
        "default: {to: {hangup: busy}}\n"
    ),
}
ENGINE = (
    "region: AT\nmatch_order: [kontor]\nlisteners: {fastagi: 127.0.0.1:0, http: 127.0.0.1:0}\n"
    "api_keys: {page: {key: '${PAGE}', may: [calls.read, calls.write]}}\n"
)
USERS = (
    "anna: {name: Anna Berger, phones: [main/1001], crm: {kontor: u5}}\n"
    "berta: {name: Berta Lang, phones: [main/1002], group: support}\n"
)
GROUPS = (
    "default: {models: {kontor.contact: [read, create]}, unknown_caller: kontor.contact}\n"
    "support: {models: {kontor.contact: read}}\n"
)


@dataclass
class Site:
    """The engine with its CRM, and its API."""

    crm: Outside
    engine: Engine
    session: aiohttp.ClientSession

    async def ask(self, method: str, call: str, what: str, **body: Any) -> dict[str, Any]:
        url = f"http://{self.engine.http}/v1/calls/{call}/{what}"
        headers = {"Authorization": f"Bearer {KEY}"}
        async with self.session.request(method, url, headers=headers, json=body or None) as answer:
            found: dict[str, Any] = await answer.json()
            assert answer.status == 200, found
            return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def crm() -> AsyncIterator[Outside]:
    async with outside() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(house: House, crm: Outside, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    folder = tmp_path_factory.mktemp("who")
    write_configuration(folder, ROUTES, house.middleware.address)
    write(folder, house.asterisk, crm)
    for name, text in (("engine", ENGINE), ("users", USERS), ("groups", GROUPS)):
        (folder / f"{name}.yaml").write_text(text)
    for name, more in (("integrations/kontor.yaml", "pop: true\n"), ("environment", f"PAGE={KEY}\n")):
        with (folder / name).open("a") as file:
            file.write(more)
    async with Engine.serving(folder) as engine:
        await engine.logged("pbx.up")
        yield engine
        assert engine.complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def site(crm: Outside, engine: Engine) -> AsyncIterator[Site]:
    async with aiohttp.ClientSession() as session:
        yield Site(crm, engine, session)


async def test_an_unknown_caller_becomes_a_record_of_who_answered(stage: Stage, site: Site) -> None:
    number = "+436649990001"
    async with desk(stage.asterisk, "1001") as phone:
        call = await stage.call("to_anna", caller=number)
        await (await phone.next_call()).answered()
        made = await site.crm.made.first(lambda one: one["phone"] == number)
        await call.hang_up()
    assert made["owner"] == "u5"
    over = await site.crm.ended(number)
    entry = await site.crm.entries.first(lambda one: one.get("key") == over["id"])
    assert entry["who"] == "n1"
    card = await site.ask("GET", over["id"], "card")
    assert (card["contact"]["id"], card["contact"]["matched"]) == ("n1", "created")


async def test_two_calls_of_one_unknown_number_at_once_are_one_record(stage: Stage, site: Site) -> None:
    number = "+436649990002"
    async with desk(stage.asterisk, "1001") as phone:
        calls = await asyncio.gather(*(stage.call("to_anna", caller=number) for _ in range(2)))
        for _ in calls:
            await (await phone.next_call()).answered()
        await site.crm.made.first(lambda one: one["phone"] == number)
        for call in calls:
            await call.hang_up()
    over: list[str] = []
    for _ in calls:

        def began(one: dict[str, Any]) -> bool:
            return one["type"] == "call.started" and one["data"]["from"] == number and one["data"]["id"] not in over

        over.append((await site.crm.events.first(began))["data"]["id"])
    for call_id in over:
        await site.crm.entries.first(lambda one, wanted=call_id: one.get("key") == wanted)  # type: ignore[misc]
    assert len([one for one in site.crm.made if one["phone"] == number]) == 1
    assert len({one["who"] for one in site.crm.entries if one.get("key") in over}) == 1


async def test_whose_group_does_not_want_it_creates_nothing(stage: Stage, site: Site) -> None:
    number = "+436649990003"
    async with desk(stage.asterisk, "1002") as phone:
        call = await stage.call("to_berta", caller=number)
        await (await phone.next_call()).answered()
        await call.hang_up()
    assert (await site.crm.ended(number))["contact"] is None
    assert all(one["phone"] != number for one in site.crm.made)


async def test_the_crm_shows_the_caller_of_the_route_and_takes_it_away_at_the_end(stage: Stage, site: Site) -> None:
    async with desk(stage.asterisk, "1001") as phone:
        call = await stage.call("by_record", caller=ANNA)
        await (await phone.next_call()).answered()
        shown = await site.crm.pops.first(lambda one: one.get("who") == "Anna Gruber")
        await call.hang_up()
    over = await site.crm.ended(ANNA)
    assert (shown["call"], shown["user"]) == (over["id"], "u5")
    await site.crm.pops.first(lambda one: one["call"] == over["id"] and one.get("closed") == "yes")


async def test_an_entry_says_so_when_its_call_is_linked_to_somebody_else(stage: Stage, site: Site) -> None:
    number, other = "+436649990004", "+436649990005"
    site.crm.knows(number, "Clara Winter")
    async with desk(stage.asterisk, "1001") as phone:
        call = await stage.call("to_anna", caller=number)
        await (await phone.next_call()).answered()
        await call.hang_up()
    over = await site.crm.ended(number)
    await site.crm.entries.first(lambda one: one.get("key") == over["id"])
    body = {"action": "create", "integration": "kontor", "model": "contact", "fields": {"name": "Dora", "phone": other}}
    card = await site.ask("POST", over["id"], "contact", **body)
    new = card["contact"]["id"]
    await site.crm.entries.first(lambda one: one.get("key") == over["id"] and one["who"] == new)
    assert any("it was with Dora." in one.get("text", "") for one in site.crm.entries)
