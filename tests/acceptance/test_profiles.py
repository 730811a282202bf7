"""Destinations in a dialplan of the operator's own: the profile of FreePBX, and a table in engine.yaml."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from .engine import Engine
from .scenery import FREEPBX
from .stage import House, Stage, engine_of, hears, told

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

TARGETS = {"external": "+4315550000", "conference": "8001"}
ROUTES = {f"to_{kind}": f"default: {{to: {{{kind}: '{TARGETS.get(kind, '7')}'}}}}" for kind in FREEPBX}
ROUTES |= {"to_busy": "default: {to: {hangup: busy}}", "to_news": "default: {to: {announcement: news}}"}
SETTINGS = "dialplan: {profile: freepbx}"
OWN = "dialplan: {destinations: {queue: 'my-queues,{target},1', ivr: 'desk-of-the-day,s,1', voicemail: 'gone,1,1'}}"
EXTENSIONS = {"ivr": "s", "voicemail": "vmu7", "external": "015550000"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def own(house: House) -> AsyncIterator[Engine]:
    async with engine_of(house.middleware, ROUTES, OWN) as engine:
        yield engine


@pytest.mark.parametrize("kind", FREEPBX)
async def test_freepbx_is_entered_where_its_modules_begin(stage: Stage, kind: str) -> None:
    landing = await stage.asterisk.landed(await stage.dial(f"to_{kind}"), FREEPBX[kind])
    target = TARGETS.get(kind, "7")
    place = (FREEPBX[kind], EXTENSIONS.get(kind, target), "1")
    assert (landing.context, landing.exten, str(landing.priority)) == place
    assert told(landing, "KIND", "TARGET", "CONTEXT", "EXTEN", "PRIORITY") == (kind, target, *place)


async def test_freepbx_is_lent_what_it_has_not(stage: Stage) -> None:
    busy, news = await asyncio.gather(stage.dial("to_busy"), stage.call("to_news"))
    assert (await busy.ended()).status == 486
    await hears(news, "news")
    assert told(await stage.lands(news, "announcement"), "CONTEXT") == ("routing-engine-announcement",)


async def test_the_operators_own_table_wins(stage: Stage, own: Engine) -> None:
    queued = await stage.dial("to_queue", engines=[own.address])
    landing = await stage.asterisk.landed(queued, "my-queues", application="Queue")
    assert (landing.data, *told(landing, "KIND", "CONTEXT")) == ("number-7", "queue", "my-queues")
    menu = await stage.dial("to_ivr", engines=[own.address])
    assert (await stage.asterisk.landed(menu, "desk-of-the-day")).exten == "s"


async def test_what_the_table_does_not_name_stays_as_shipped(stage: Stage, own: Engine) -> None:
    call = await stage.dial("to_extension", engines=[own.address])
    assert (await stage.lands(call, "extension")).exten == "7"


async def test_a_place_of_the_table_that_is_gone_is_an_emergency(stage: Stage, own: Engine) -> None:
    call = await stage.call("to_voicemail", engines=[own.address], emergency="office,help,1")
    await hears(call, "crm_routing-emergency")
    landing = await stage.asterisk.landed(call, "office")
    assert (landing.exten, *told(landing, "STATUS", "CONTEXT")) == ("help", "OK", "gone")
