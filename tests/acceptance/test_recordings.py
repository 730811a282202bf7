"""Recordings of real calls, fetched over ARI by a user who may only read."""

from __future__ import annotations

import io
import wave

import aiohttp
import pytest

from rig.conf import READER
from rig.stage import desk
from routing_engine.pbx.recordings import AriRecordings
from routing_engine.settings.pbx import AriKeys

from .stage import Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]
ROUTES = {"recorded": "default: {to: {extension: '1001'}}\nrules: [{to: {extension: '1001'}, set: {record: 'yes'}}]"}


def ari_of(stage: Stage) -> AriKeys:
    host, port = stage.asterisk.http_address
    return AriKeys(f"http://{host}:{port}", READER, stage.asterisk.secret)


async def recorded_name(stage: Stage) -> tuple[str, str]:
    """Let two talk; return Asterisk's id of the call, and the name of the recording as events give it."""
    async with desk(stage.asterisk, "1001") as callee:
        callee.answer_with(0.4, speaks_hz=440, hangs_up_after_s=1.2)
        call = await stage.call("recorded")
        await call.ended()
        uniqueid = await stage.asterisk.uniqueid(call)
        await stage.asterisk.wait_event("Hangup", Uniqueid=uniqueid)
        return uniqueid, stage.asterisk.variables(uniqueid)["MIXMONITOR_FILENAME"]


async def test_a_recording_is_fetched_over_ari_by_a_user_who_may_only_read(stage: Stage) -> None:
    _, name = await recorded_name(stage)
    recordings = AriRecordings(ari_of(stage))
    # A few milliseconds may lie between the hang-up and the closing of the file.
    while (sound := await recordings.find(name)) is None:
        pass
    content = b"".join([piece async for piece in sound.open()])
    await recordings.close()
    with wave.open(io.BytesIO(content)) as file:
        assert file.getnframes() / file.getframerate() == sound.seconds
    assert (0.5 < sound.seconds < 2, sound.size) == (True, len(content))


async def test_what_the_dialplan_records_is_listed_and_the_reader_can_delete_nothing(stage: Stage) -> None:
    uniqueid, _ = await recorded_name(stage)
    keys = ari_of(stage)
    who = {"Authorization": aiohttp.encode_basic_auth(keys.user, keys.secret)}
    stored = f"{keys.address}/ari/recordings/stored"
    async with aiohttp.ClientSession(headers=who) as session:
        listed = await (await session.get(stored)).json()
        deleted = await session.delete(f"{stored}/{uniqueid}")
    assert {"name": uniqueid, "format": "wav"} in listed
    assert deleted.status == 403
