"""Texts that are spoken: a program makes the sound, Asterisk plays it, the caller hears it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from rig.ear import sound

from .engine import Engine
from .stage import House, Stage, engine_of

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

#: Speaks in tones: the text chooses the pitch, so that the test hears which text it was.
SPEAKER = """
import math, struct, sys, wave
text = sys.stdin.read()
with open(sys.argv[2], "a") as seen:
    seen.write(text + "\\n")
hz = {"Good morning Anna": 1300, "Acme": 900, "Globex": 1100}[text.strip()]
with wave.open(sys.argv[1], "wb") as file:
    file.setnchannels(1); file.setsampwidth(2); file.setframerate(8000)
    wave_at = lambda n: int(9000 * math.sin(2 * math.pi * hz * n / 8000))
    file.writeframes(b"".join(struct.pack("<h", wave_at(n)) for n in range(4800)))
"""
OFFICE = "to: {dialplan: 'office,x,1'}"
ROUTES = {
    "greets": "sources: [{integration: crm, search: {field: phone, by: caller}, "
    f"rules: [{{play: {{say: 'Good morning {{name}}'}}, {OFFICE}}}]}}]\ndefault: {{to: {{ivr: main}}}}\n",
    "asks": "sources: [{integration: crm, search: {field: phone, by: caller}, when_many: {ask: {say: '{company}'}}, "
    "rules: [{to: {dialplan: 'office,x{id},1'}}]}]\ndefault: {to: {ivr: main}}\n",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the sounds; `seen` in it holds every text that was spoken."""
    folder = tmp_path_factory.mktemp("say")
    (folder / "speaker.py").write_text(SPEAKER)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(house: House, spoken: Path) -> AsyncIterator[Engine]:
    command = f"{sys.executable} {spoken / 'speaker.py'} {{file}} {spoken / 'seen'}"
    async with engine_of(
        house.middleware, ROUTES, f"speech: {{command: '{command}', folder: {spoken / 'kept'}}}\n"
    ) as engine:
        yield engine
        assert engine.complaints == []


async def test_a_caller_is_greeted_by_name_and_the_text_is_spoken_once(stage: Stage, spoken: Path) -> None:
    for _ in range(2):
        call = await stage.dial("greets")
        stage.middleware.knows("crm", call.caller, name="Anna")
        await call.hears(sound(0.3, hz=1300), 8)
        await stage.asterisk.landed(call, "office")
        await call.hang_up()
    assert (spoken / "seen").read_text().splitlines().count("Good morning Anna") == 1


async def test_a_caller_with_two_accounts_hears_their_names_and_chooses(stage: Stage) -> None:
    call = await stage.dial("asks")
    acme, globex = (
        {"id": key, "company": name, "phone": call.caller} for key, name in (("1", "Acme"), ("2", "Globex"))
    )
    stage.middleware.records["crm", call.caller] = [acme, globex]
    await call.hears(sound(0.3, hz=900))
    await call.hears(sound(0.3, hz=1100))
    await call.press("2")
    landing = await stage.asterisk.landed(call, "office")
    assert landing.exten == "x2"


async def test_a_text_that_cannot_be_spoken_costs_nobody_the_call(stage: Stage) -> None:
    call = await stage.dial("greets")
    stage.middleware.knows("crm", call.caller, name="$(reboot) -v /etc")
    await stage.asterisk.landed(call, "office")
    assert stage.engine.lines("speech.down")
