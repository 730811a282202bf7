"""What a served call costs, counted and not timed: commands to Asterisk, and calls of our own functions."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import FrameType

import pytest

import routing_engine
from routing_engine.engine import open_store
from routing_engine.service import Service
from tests.fakes import Asterisk
from tests.test_service import middleware, write

pytestmark = pytest.mark.io

#: What it was when this was written, and a tenth: who needs more says why. See docs/decisions/speed.md.
MOST_CALLS = 366
OURS = str(Path(routing_engine.__file__).parent)


class Counter:
    """Counts how often functions of the package begin, or go on after waiting, in this thread."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(OURS):
            self.count += 1


async def test_a_call_with_a_look_up_costs_no_more_than_it_did(tmp_path: Path) -> None:
    async with middleware() as (_, address):
        service = Service(open_store(write(tmp_path, address)))
        await service.start()
        running = asyncio.create_task(service.run())
        port, counter = int(service.addresses[0].rpartition(":")[2]), Counter()
        for _ in range(3):  # what is read, compiled or connected once
            await Asterisk().call(port, network_script="support")
        asterisk = Asterisk()
        sys.setprofile(counter)
        try:
            await asterisk.call(port, network_script="support")
        finally:
            sys.setprofile(None)
        service.stop()
        await running
        await service.close()
    # One burst: no command before the look-up, and none behind it but the variables of the decision.
    assert {words[0] for words in asterisk.commands} == {"SET"}
    assert asterisk.variables["ROUTE_STATUS"] == "OK"
    assert counter.count <= MOST_CALLS
