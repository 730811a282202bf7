"""A configuration that changes under way: calls keep what they began with, and what is broken never gets in force."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from .engine import Engine, write_route
from .stage import House, Stage, engine_of, hears, told

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]


def route(queue: str, sound: str = "prompt") -> str:
    """A route whose every record goes to this queue."""
    source = f"{{integration: crm, search: {{field: number, by: input}}, rules: [{{to: {{queue: {queue}}}}}]}}"
    asks = f"input: {{prompt: {sound}, digits: {{min: 4, max: 6}}}}\n"
    return f"{asks}sources: [{source}]\ndefault: {{to: {{ivr: main}}}}\n"


ROUTES = {"support": route("sales")}


@pytest_asyncio.fixture(loop_scope="session")
async def stage(house: House) -> AsyncIterator[Stage]:
    """A stage whose engine no other test changes."""
    house.middleware.records.clear()
    house.middleware.knows("crm", "123456", id="1")
    async with engine_of(house.middleware, ROUTES) as engine:
        yield Stage(house, engine)
        assert engine.complaints == []


async def revision_in_force(engine: Engine) -> object:
    """The revision that the engine came up with."""
    return (await engine.logged("service.ready"))["revision"]


async def test_a_call_keeps_the_revision_it_began_with(stage: Stage) -> None:
    old = await stage.call("support")
    await hears(old, "prompt")
    write_route(stage.engine.folder, "support", route("vip"))
    reloaded = await stage.engine.logged("configuration.reloaded")
    await old.press("123456", 60, 40)
    kept = await stage.lands(old, "queue")
    assert (kept.exten, *told(kept, "REVISION")) == ("sales", await revision_in_force(stage.engine))
    new = await stage.lands(await stage.typed("support", "123456"), "queue")
    assert (new.exten, *told(new, "REVISION")) == ("vip", reloaded["revision"])
    assert told(new, "REVISION") != told(kept, "REVISION")


@pytest.mark.parametrize(
    "broken",
    ["", "default: [", "default: {to: {qeue: sales}}", route("vip") + "default: {to: {queue: x}}\n", "\0"],
    ids=["empty", "no YAML", "unknown kind", "twice", "binary"],
)
async def test_a_broken_file_keeps_the_last_good_revision(stage: Stage, broken: str) -> None:
    write_route(stage.engine.folder, "support", broken)
    refused = await stage.engine.logged("configuration.refused")
    assert "routes/support.yaml" in str(refused["problems"])
    landing = await stage.lands(await stage.typed("support", "123456"), "queue")
    assert (landing.exten, *told(landing, "STATUS", "REVISION")) == (
        "sales", "OK", await revision_in_force(stage.engine)
    )  # fmt: skip


async def test_what_is_mended_is_in_force_again(stage: Stage) -> None:
    write_route(stage.engine.folder, "support", "default: [")
    await stage.engine.logged("configuration.refused")
    write_route(stage.engine.folder, "support", route("vip"))
    reloaded = await stage.engine.logged("configuration.reloaded")
    landing = await stage.lands(await stage.typed("support", "123456"), "queue")
    assert (landing.exten, *told(landing, "REVISION")) == ("vip", reloaded["revision"])


async def test_a_route_that_is_removed_finishes_its_calls(stage: Stage) -> None:
    old = await stage.call("support")
    await hears(old, "prompt")
    write_route(stage.engine.folder, "another", route("vip"))
    (stage.engine.folder / "routes" / "support.yaml").unlink()
    await stage.engine.logged("configuration.reloaded", routes=["another"])
    await old.press("123456", 60, 40)
    assert (await stage.lands(old, "queue")).exten == "sales"
    gone = await stage.call("support", emergency="office,help,1")
    assert told(await stage.asterisk.landed(gone, "office"), "STATUS") == ("FALLBACK",)


async def test_an_integration_that_changes_does_not_break_a_look_up_under_way(stage: Stage) -> None:
    call = await stage.typed("support", "")
    integration = stage.engine.folder / "integrations" / "crm.yaml"
    beside = integration.with_name(".crm.new")
    beside.write_text(integration.read_text().replace("/crm", "/erp"))
    beside.rename(integration)
    await stage.engine.logged("configuration.reloaded")
    await call.press("123456", 60, 40)
    assert (await stage.lands(call, "queue")).exten == "sales"
    after = await stage.typed("support", "123456")
    assert told(await stage.lands(after, "ivr"), "REASON") == ("no_record",)
