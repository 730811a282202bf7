"""The last resort on a bare Asterisk: no engine, no prompts of ours, nothing configured, and still somebody speaks."""

from __future__ import annotations

import asyncio

import pytest

from rig.sip import sound
from rig.stage import stage

from .scenery import SHIPPED

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

GLOBALS = "[globals]\nROUTING_ENGINE_1=127.0.0.1:1\nROUTING_ENGINE_2=127.0.0.1:1\n"
DIALPLAN = f'{GLOBALS}#include "{SHIPPED}"\n[from-trunk]\nexten => 1,1,Goto(routing-engine,support,1)\n'
TONES_HZ = 950


async def test_asterisks_own_prompt_is_heard_where_ours_is_missing() -> None:
    async with stage(DIALPLAN) as (asterisk, phone):
        call = await phone.dial(asterisk.sip_address, "1", caller="+431")
        await call.hears(sound(0.5))
        landing = await asterisk.landed(call, application="hangup")
        assert (landing.context, landing.application) == ("routing-engine-emergency", "Hangup")
        assert landing.variables["PLAYBACKSTATUS"] == "SUCCESS"


async def test_tones_are_heard_where_there_are_no_sounds_at_all() -> None:
    async with stage(DIALPLAN) as (asterisk, phone):
        await asyncio.to_thread((asterisk.directory / "data" / "sounds" / "en").unlink)
        call = await phone.dial(asterisk.sip_address, "1", caller="+431")
        await call.hears(sound(0.3, hz=TONES_HZ))
