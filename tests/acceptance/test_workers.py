"""An engine whose calls are carried by two processes: they land, whichever is there, and a reload is one for both."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from rig.asterisk import Landing
from rig.sip import Call

from .engine import Engine, write_configuration, write_route
from .stage import House, Stage, hears, told

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]


def route(queue: str) -> str:
    source = f"{{integration: crm, search: {{field: number, by: input}}, rules: [{{to: {{queue: {queue}}}}}]}}"
    asks = "input: {prompt: prompt, digits: {min: 4, max: 6}, first_digit_timeout_s: 20}\n"
    return f"{asks}sources: [{source}]\ndefault: {{to: {{ivr: main}}}}\n"


@pytest_asyncio.fixture(loop_scope="session")
async def stage(house: House, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage whose engine has two workers."""
    house.middleware.knows("crm", "123456", id="1")
    routes = {"support": route("sales"), "at_once": "default: {to: {queue: vip}}\n"}
    write_configuration(tmp_path, routes, house.middleware.address)
    (tmp_path / "engine.yaml").write_text("region: AT\nlisteners: {fastagi: 127.0.0.1:0, metrics: 127.0.0.1:0}\n")
    async with Engine.serving(tmp_path, workers=2) as engine:
        yield Stage(house, engine)
        assert engine.complaints == []


async def workers(engine: Engine) -> Sequence[int]:
    """The workers as they were at the start."""
    return cast("Sequence[int]", (await engine.logged("service.ready"))["workers"])


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A worker that stands still meanwhile: the other one gets what comes."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def by_each(stage: Stage) -> Sequence[Landing]:
    """Where a call lands that the first worker carries, and one that the second does."""
    found = []
    for other in reversed(await workers(stage.engine)):
        with frozen(other):
            found.append(await stage.lands(await stage.typed("support", "123456"), "queue"))
    return found


async def figures(engine: Engine) -> str:
    """The page of figures."""
    (address,) = cast("Sequence[str]", (await engine.logged("service.ready"))["metrics"])
    async with ClientSession() as client, client.get(f"http://{address}/metrics") as answer:
        return await answer.text()


async def ends(call: Call, stage: Stage) -> Landing:
    await call.press("123456", 60, 40)
    return await stage.lands(call, "queue")


async def test_calls_land_by_the_worker_that_is_free_a_reload_is_one_for_both_and_figures_are_their_sum(
    stage: Stage,
) -> None:
    first = await by_each(stage)
    write_route(stage.engine.folder, "support", route("vip"))
    reloaded = await stage.engine.logged("configuration.reloaded")
    second = await by_each(stage)
    assert [one.exten for one in (*first, *second)] == ["sales", "sales", "vip", "vip"]
    assert {told(one, "REVISION") for one in second} == {(reloaded["revision"],)}
    page = await figures(stage.engine)
    assert 'routing_engine_calls_total{reason="matched",route="support"} 4.0' in page
    assert "routing_engine_workers 2.0" in page


async def both_finish_their_calls(stage: Stage, pids: Sequence[int]) -> None:
    """The end of the engine waits for the calls of every worker, and leaves no process."""
    calls = []
    for other in pids:
        with frozen(other):
            calls.append(await stage.call("support"))
            await hears(calls[-1], "prompt")
    stage.engine.terminate()
    await stage.engine.logged("service.draining", calls=2)
    landed = [await ends(one, stage) for one in calls]
    assert ([one.exten for one in landed], await stage.engine.ended()) == (["sales", "sales"], 0)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_worker_that_dies_leaves_its_caller_to_the_next_and_comes_again(stage: Stage) -> None:
    one, two = await workers(stage.engine)
    twice = [stage.engine.address] * 2
    with frozen(two):
        call = await stage.typed("support", "", engines=twice)
    os.kill(one, signal.SIGKILL)
    died = await stage.engine.logged("worker.died")
    await hears(call, "prompt", times=2)
    assert ((await ends(call, stage)).exten, died["how"], died["calls"]) == ("sales", "signal 9", 1)
    back = await stage.engine.logged("worker.ready")
    with frozen(two):
        assert (await stage.lands(await stage.call("at_once"), "queue")).exten == "vip"
    assert back["pid"] != one
    await both_finish_their_calls(stage, (cast("int", back["pid"]), two))
