"""Engines that are killed at random while they deliver, and what must have arrived in the end."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from aiohttp import web

from rig.conf import PATIENCE_S
from routing_engine.delivery.jobs import NewJob

from .fakes import hook

CALLS, EVENTS, KILLS = 40, 5, 3


class Arrivals:
    """What a receiver has got, by call, in order; `more` is set with each."""

    def __init__(self) -> None:
        self.by_call: defaultdict[str, list[int]] = defaultdict(list)
        self.ids: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
        self.count = 0
        self.more = asyncio.Condition()

    async def take(self, request: web.Request) -> web.Response:
        event = json.loads(await request.read())
        self.by_call[event["call"]].append(event["number"])
        self.ids[request.headers["webhook-id"]].add((event["call"], event["number"]))
        async with self.more:
            self.count += 1
            self.more.notify_all()
        return web.Response(status=204)

    @property
    def complete(self) -> bool:
        return len(self.by_call) == CALLS and all(set(got) == set(range(EVENTS)) for got in self.by_call.values())


async def killed_at_random(
    place: str, engines: int, put: Callable[[NewJob], Awaitable[None]], chance: random.Random
) -> Arrivals:
    """Put what is to be delivered, let engines deliver it and kill some; return what has arrived when all is there."""
    for number in range(EVENTS):
        for call in range(CALLS):
            await put(hook(f"call-{call}", json.dumps({"call": f"call-{call}", "number": number})))
    arrivals = Arrivals()
    async with AsyncExitStack() as stack, asyncio.timeout(4 * PATIENCE_S):
        app = web.Application()
        app.router.add_post("/x", arrivals.take)
        runner = web.AppRunner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        running = [_start(place, port) for _ in range(engines)]
        stack.callback(lambda: [_kill(one) for one in running])
        for killed in range(KILLS):
            await _reached(arrivals, (killed + 1) * CALLS * EVENTS // (KILLS + 2))
            _kill(running.pop(chance.randrange(len(running))))
            running.append(_start(place, port))
        async with arrivals.more:
            await arrivals.more.wait_for(lambda: arrivals.complete)
    return arrivals


async def _reached(arrivals: Arrivals, count: int) -> None:
    async with arrivals.more:
        await arrivals.more.wait_for(lambda: arrivals.count >= count)


def _start(place: str, port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.delivery.deliverer", place, str(port)])


def _kill(engine: subprocess.Popen[bytes]) -> None:
    engine.kill()
    engine.wait()


def in_order(arrivals: Arrivals) -> bool:
    """Return whether no event of a call came after a later one; one may have come twice."""
    return all(got == sorted(got) for got in arrivals.by_call.values())
