"""Calls followed on a real Asterisk: how soon they are in the CRM, and how far the reader of events is behind.

    .venv/bin/python -m benchmarks.followed 60

The engine is a process of its own (`routing-engine serve`), the CRM a stand-in on the loopback address. From the
moment at which a telephone hangs up to the moment at which the CRM has what it should have. Prints a table; nothing
else should run meanwhile, and what did is printed beside it.
"""

from __future__ import annotations

import asyncio
import os
import platform
import re
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from rig.asterisk import Asterisk
from rig.sip import Phone, sound
from rig.stage import desk
from tests.acceptance.engine import Engine, write_configuration
from tests.acceptance.middleware import Middleware
from tests.acceptance.outside import Outside, outside, write
from tests.acceptance.scenery import DIALPLAN
from tests.acceptance.stage import House, Stage

ROUTES = {
    "to_anna": "default: {to: {extension: '1001'}}\n",
    "recorded": "rules: [{to: {extension: '1001'}, set: {record: 'yes'}}]\ndefault: {to: {extension: '1001'}}\n",
}
SETTINGS = "match_order: [kontor]\n"
#: Calls that do nothing but begin, wait and end: what they tell is what costs the reader.
IDLE = "\n[idle]\nexten => s,1,Wait(1)\n same => n,Hangup()\n"
CALLS_A_SECOND, SECONDS = 50, 20
_LAG = re.compile(r'^routing_engine_pbx_lag_seconds\{pbx="main"\} ([0-9.e+-]+)$', re.M)


class Bench:
    """Everything that is measured against: the telephones, the engine, the CRM."""

    def __init__(self, stage: Stage, crm: Outside, phone: Phone) -> None:
        self.stage, self.crm, self.phone = stage, crm, phone
        self._number = 436_640_000_000

    def caller(self) -> str:
        """A number that the CRM knows."""
        self._number += 1
        return self.crm.knows(f"+{self._number}", "Anna Gruber")

    async def answered(self) -> float:
        """From the hang-up of a call that was answered to its entry."""
        return await self._taken("to_anna", self._entry)

    async def recorded(self) -> float:
        """From the hang-up of a call that was recorded to the sound at its entry."""
        self.phone.answer_with(speaks_hz=440)
        return await self._taken("recorded", self._sound)

    async def missed(self) -> float:
        """From the moment at which a caller gives up while it rings to the entry."""
        number = self.caller()
        self.phone.answer_with(status=None)
        call = await self.stage.dial("to_anna", caller=number)
        await asyncio.gather(self.phone.next_call(), call.rings())
        began = time.perf_counter()
        await call.hang_up()
        await self._entry(number)
        self.phone.answer_with()
        return time.perf_counter() - began

    async def _taken(self, route: str, arrived: Callable[[str], Awaitable[str]]) -> float:
        number = self.caller()
        call = await self.stage.call(route, caller=number)
        await (await self.phone.next_call()).answered()
        if route == "recorded":  # what nobody has said is no recording
            await call.hears(sound(0.3))
        began = time.perf_counter()
        await call.hang_up()
        await arrived(number)
        return time.perf_counter() - began

    async def _entry(self, number: str) -> str:
        entry = await self.crm.entries.first(lambda one: number in str(one.get("subject")) and "key" in one)
        return f"e{self.crm.entries.index(entry) + 1}"

    async def _sound(self, number: str) -> str:
        entry = await self._entry(number)
        return (await self.crm.sounds.first(lambda one: one[0] == entry))[0]

    async def lag(self) -> list[float]:
        """The latest event of each second while as many calls begin and end, in seconds behind the quickest one."""
        [metrics] = (await self.stage.engine.logged("service.ready"))["metrics"]  # type: ignore[misc]
        async with aiohttp.ClientSession() as session:
            await _read_lag(session, str(metrics))
            return [await self._one_second(session, str(metrics)) for _ in range(SECONDS)]

    async def _one_second(self, session: aiohttp.ClientSession, metrics: str) -> float:
        began = time.perf_counter()
        for call in range(CALLS_A_SECOND):
            await self.stage.asterisk.ami.action(
                "Originate", Channel="Local/s@idle/n", Application="Wait", Data="2", Async="true"
            )
            await asyncio.sleep(max(0.0, began + (call + 1) / CALLS_A_SECOND - time.perf_counter()))
        return await _read_lag(session, metrics)


async def _read_lag(session: aiohttp.ClientSession, metrics: str) -> float:
    async with session.get(f"http://{metrics}/metrics") as answer:
        found = _LAG.search(await answer.text())
    return float(found[1]) if found else 0.0


def at(share: float, of: Sequence[float]) -> float:
    """Return the value below which a share of the others is."""
    ordered = sorted(of)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def measure(calls: int, folder: Path) -> None:
    """Measure so many calls of each kind, and print the table."""
    async with (
        Asterisk(DIALPLAN + IDLE, phones=("1001",)) as asterisk,
        Phone.open() as caller,
        Middleware.serving() as middleware,
        outside() as crm,
        desk(asterisk, "1001") as phone,
    ):
        write_configuration(folder, ROUTES, middleware.address, SETTINGS)
        yaml, listeners = folder / "engine.yaml", "fastagi: 127.0.0.1:0"
        yaml.write_text(yaml.read_text().replace(listeners, f"{listeners}, metrics: 127.0.0.1:0"))
        write(folder, asterisk, crm)
        async with Engine.serving(folder) as engine:
            await engine.logged("pbx.up")
            bench = Bench(Stage(House(asterisk, caller, middleware), engine), crm, phone)
            await print_figures(bench, calls)


async def print_figures(bench: Bench, calls: int) -> None:
    """Print each figure as a row."""
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; load {load:.1f}")
    print("| figure | calls | p50 | p95 | at most |\n|---|---|---|---|---|")
    kinds = (("answered", bench.answered, 2), ("missed", bench.missed, 2), ("recording attached", bench.recorded, 15))
    for name, one, limit in kinds:
        took = [await one() for _ in range(calls)]
        print(f"| hang-up to CRM, {name} | {calls} | {at(0.5, took):.3f} s | {at(0.95, took):.3f} s | {limit} s |")
    late = [1000 * one for one in await bench.lag()]
    shown = f"{at(0.5, late):.0f} ms | {at(0.99, late):.0f} ms (p99)"
    print(f"| latest event of each second, {CALLS_A_SECOND} calls/s | {CALLS_A_SECOND * SECONDS} | {shown} | 50 ms |")


def main() -> None:
    """Measure, and print."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 60, Path(folder)))


if __name__ == "__main__":
    main()
