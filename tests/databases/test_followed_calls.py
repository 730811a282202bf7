"""Calls followed with everything in a PostgreSQL: calls and deliveries; and with that server gone in mid-call."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

from rig.databases import Database as Server
from rig.databases import postgresql
from rig.stage import desk
from tests.acceptance.outside import outside
from tests.acceptance.stage import House
from tests.acceptance.test_followed_gaps import Scene, talking, write_scene
from tests.wire import Wire

pytestmark = [pytest.mark.databases, pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]
NAMES = (f"followed{count}" for count in itertools.count())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with postgresql(tmp_path_factory.mktemp("followed")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def scene(house: House, server: Server, tmp_path: Path) -> AsyncIterator[Scene]:
    name = next(NAMES)
    address = {"host": server.host, "port": server.port, "user": server.user, "dbname": "postgres"}
    with psycopg.connect(autocommit=True, **address) as connection:  # type: ignore[arg-type]
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    async with outside() as crm, Wire(lambda: house.asterisk.manager_address[1]).open() as wire:
        write_scene(tmp_path, house, crm, wire)
        with (tmp_path / "engine.yaml").open("a") as file:
            file.write(f"database: 'postgresql://{server.user}@{server.address}/{name}'\n")
        yield Scene(house, crm, wire, tmp_path)


async def test_calls_are_kept_and_written_over_a_postgresql(scene: Scene) -> None:
    numbers = [scene.caller() for _ in range(3)]
    async with scene.engine() as stage, desk(scene.house.asterisk, "1001") as phone:
        for number in numbers:
            call, _ = await talking(stage, phone, number)
            await call.hang_up()
        await asyncio.gather(*map(scene.told_once, numbers))


async def test_an_engine_that_is_killed_loses_nothing_of_a_postgresql(scene: Scene) -> None:
    through, over = scene.caller(), scene.caller()
    async with desk(scene.house.asterisk, "1001") as phone:
        async with scene.engine() as stage:
            goes_on, _ = await talking(stage, phone, through)
            ends, _ = await talking(stage, phone, over)
            for number in (through, over):
                await scene.crm.told("call.answered", number)
            stage.engine.kill()
            await stage.engine.ended()
        await ends.hang_up()
        await scene.in_the_history(over)
        async with scene.engine():
            await goes_on.hang_up()
            await asyncio.gather(*map(scene.told_once, (over, through)))


async def test_a_server_that_is_gone_in_mid_call_gets_everything_when_it_is_back(scene: Scene, server: Server) -> None:
    before, meanwhile = scene.caller(), scene.caller()
    async with scene.engine() as stage, desk(scene.house.asterisk, "1001") as phone:
        first, _ = await talking(stage, phone, before)
        await scene.crm.told("call.answered", before)
        server.stop(kill=True)
        try:
            # Nobody who calls waits for it.
            second, _ = await talking(stage, phone, meanwhile)
            await stage.engine.logged("database.down")
            await asyncio.gather(first.hang_up(), second.hang_up())
        finally:
            server.start()
        await stage.engine.logged("database.up")
        await asyncio.gather(*map(scene.told_once, (before, meanwhile)))
