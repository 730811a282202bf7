"""The one door: with nothing wanted it does nothing, and imports nothing."""

from __future__ import annotations

import subprocess
import sys

from core.build import ANNA
from fakes import FakeChannel, FakeLookup, FakeSpeech

from routing_engine.core.events import LookedUp
from routing_engine.metrics.monitor import Monitor

from .scene import READINGS, get, routed, samples

LOOKED_UP = LookedUp("crm", "customers", "contact", "found", 0.1)


async def test_where_nothing_is_wanted_nothing_is_done():
    monitor, speech = Monitor("0.1.0", {}), FakeSpeech({})
    monitor.took("r1", ["support"], ["crm"])
    monitor.refused()
    monitor.failed()
    monitor.looked_up(LOOKED_UP)
    monitor.publish(routed(), None, False)
    assert monitor.follow(FakeChannel(ANNA), FakeLookup()) is None
    assert monitor.measured(speech) is speech
    assert monitor.addresses == []
    await monitor.close()


async def test_a_listener_counts_all_that_it_is_told():
    monitor = Monitor("0.1.0", {})
    await monitor.listen("127.0.0.1", 0, READINGS)
    try:
        monitor.took("r1", ["support"], ["crm"])
        monitor.publish(routed(), None, False)
        monitor.looked_up(LOOKED_UP)
        monitor.failed()
        assert await monitor.measured(FakeSpeech({"hello": "speech/1"})).sound("hello", "en") is not None
        told = samples((await get(monitor, "/metrics"))[2])
    finally:
        await monitor.close()
    assert told["routing_engine_calls_total", (("reason", "matched"), ("route", "support"))] == 1
    assert told["routing_engine_errors_total", ()] == 1
    assert told["routing_engine_texts_total", (("said", "yes"),)] == 1


def test_what_is_not_wanted_is_not_imported():
    code = "import sys; from routing_engine.metrics import monitor, readings; "
    code += "monitor.Monitor('1', {}); print([*sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not [name for name in ("prometheus_client", "opentelemetry", "aiohttp") if f"'{name}" in ended.stdout]
