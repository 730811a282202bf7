"""Fixtures of the acceptance tests: the house for all, an engine for each file, the stage for each test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest
import pytest_asyncio

from rig.asterisk import Asterisk
from rig.sip import Phone

from .engine import Engine
from .firm import Firm, opened
from .middleware import Middleware
from .scenery import DIALPLAN, save_sounds
from .stage import House, Stage, engine_of

#: Nobody ever registers as 1004.
PHONES = ("1001", "1002", "1003", "1004")
placed = pytest.StashKey[tuple[int, float]]()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> AsyncIterator[House]:
    began = monotonic()
    sounds: Path = tmp_path_factory.mktemp("sounds")
    save_sounds(sounds)
    queues = {"vip": ["PJSIP/1002"], "sales": ["PJSIP/1002"], "number-7": ["PJSIP/1002"], "deserted": []}
    async with (
        Asterisk(DIALPLAN, sounds=sounds, phones=PHONES, queues=queues) as asterisk,
        Phone.open() as phone,
        Middleware.serving() as middleware,
    ):
        house = House(asterisk, phone, middleware)
        yield house
    pytestconfig.stash[placed] = (house.calls, monotonic() - began)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(house: House, request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    """The engine with the file's `ROUTES` and, where it has them, its `SETTINGS`."""
    async with engine_of(house.middleware, request.module.ROUTES, getattr(request.module, "SETTINGS", "")) as engine:
        yield engine
        assert engine.complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def stage(house: House, engine: Engine) -> AsyncIterator[Stage]:
    house.middleware.requests.clear()
    house.middleware.records.clear()
    yield Stage(house, engine)
    await asyncio.gather(*(call.hang_up() for call in house.phone.calls))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def dialling_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Firm]:
    async with opened(tmp_path_factory.mktemp("dialling")) as firm:
        yield firm


@pytest_asyncio.fixture(loop_scope="session")
async def firm(dialling_house: Firm) -> AsyncIterator[Firm]:
    """The firm, nobody on the telephone; who is called lets it ring."""
    phones = (dialling_house.provider, dialling_house.anna, dialling_house.bernd)
    for phone in phones:
        phone.answer_with(status=None)
    yield dialling_house
    await asyncio.gather(*(call.hang_up() for phone in phones for call in phone.calls))
    for call_id in {one["id"] for one in dialling_house.told}:
        await dialling_house.ended({"id": call_id})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many calls were placed."""
    if placed in config.stash:
        calls, took_s = config.stash[placed]
        terminalreporter.write_line(f"acceptance: {calls} calls through Asterisk 22 in {took_s:.0f} s")
