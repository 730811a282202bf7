"""A change that waits, on a real Asterisk: one caller has it, then a share; a bad one takes itself back."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from rig.conf import PATIENCE_S

from .engine import PROGRAM, Engine, write_configuration, write_route
from .stage import House, Stage, told

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

GUARDED = "activation: {calls: 5}\n"
TESTER = "+436641112223"
#: It asks for what no caller is, so that everybody ends at its default.
BAD = "rules: [{when: {call.caller: nobody}, to: {queue: new}}]\ndefault: {to: {ivr: main}}\n"


def route(queue: str) -> str:
    return f"rules: [{{name: any, to: {{queue: {queue}}}}}]\ndefault: {{to: {{ivr: main}}}}\n"


async def command(folder: Path, *words: str) -> str:
    """Call a command as an operator does; return what it prints."""
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "--config", folder, *words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 0, out.decode()
    return out.decode()


async def lands(stage: Stage, kind: str, caller: str | None = None) -> tuple[str, str]:
    """Place a call; return its destination, and the revision that decided it."""
    landing = await stage.lands(await stage.call("support", caller=caller), kind)
    return landing.exten, told(landing, "REVISION")[0]


async def test_a_change_has_one_caller_then_everybody_and_goes_back(house: House, tmp_path: Path) -> None:
    write_configuration(tmp_path, {"support": route("sales")}, house.middleware.address, GUARDED)
    async with Engine.serving(tmp_path) as engine:
        stage = Stage(house, engine)
        write_route(tmp_path, "support", route("vip"))
        new = str((await engine.logged("activation.waiting"))["revision"])
        await command(tmp_path, "activate", "--callers", TESTER)
        await engine.logged("activation.trying", revision=new, callers="one caller")
        named, other = await asyncio.gather(lands(stage, "queue", TESTER), lands(stage, "queue"))
        assert (named, other[0]) == (("vip", new), "sales")
        await command(tmp_path, "activate", "--share", "100%")
        await engine.logged("activation.trying", callers="one caller and 100 % of all others")
        assert await lands(stage, "queue") == ("vip", new)
        await command(tmp_path, "activate", "--all")
        await engine.logged("configuration.reloaded", revision=new)
        await command(tmp_path, "rollback")
        await engine.logged("configuration.reloaded", revision=other[1])
        assert await lands(stage, "queue", TESTER) == other
        assert engine.complaints == []


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_bad_change_takes_itself_back_with_a_restart_in_between(
    house: House, tmp_path: Path, workers: int
) -> None:
    write_configuration(tmp_path, {"support": route("sales")}, house.middleware.address, GUARDED)
    async with Engine.serving(tmp_path) as engine:
        write_route(tmp_path, "support", BAD)
        await engine.logged("activation.waiting")
        await command(tmp_path, "activate", "--callers", TESTER)
        await engine.logged("activation.trying")
    async with Engine.serving(tmp_path, workers=workers) as engine:
        stage = Stage(house, engine)
        bad = (await engine.logged("activation.trying"))["revision"]
        found = await asyncio.gather(
            *(lands(stage, "queue") for _ in range(8)), *(lands(stage, "ivr", TESTER) for _ in range(5))
        )
        assert [where for where, _ in found] == ["sales"] * 8 + ["main"] * 5
        back = await engine.logged("activation.rolled_back", revision=bad)
        assert str(back["why"]).startswith("5 of 5 calls took the default, in force 0 of 8")
        await engine.logged("activation.back", revision=bad)
        assert (await lands(stage, "queue", TESTER))[0] == "sales"
        assert "was taken back: 5 of 5 calls took the default" in await command(tmp_path, "activate", "--status")
