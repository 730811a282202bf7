"""A FastAGI server on a real socket for one talk, and what Asterisk answers meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from fakes import FOREVER_S, Asterisk

from routing_engine.channels.agi.channel import SharedFacts
from routing_engine.channels.agi.server import AgiChannel, AgiServer, AgiSettings
from routing_engine.core.model import Input, Operand, Value
from routing_engine.core.ports import Channel

from .contract import Seen, Talk

NOW = datetime(2026, 11, 18, 10, 30, tzinfo=ZoneInfo("Europe/Vienna"))
NUM = Input(min=4, max=6, first_digit_timeout_s=5, inter_digit_timeout_s=2.5)
Handler = Callable[[AgiChannel], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(handler: Handler, site: SharedFacts | None = None, **limits: float) -> AsyncIterator[AgiServer]:
    """Run a server, and see that no task and no session is left of it."""
    shared = ("fallback_language", "extension_state", "kept_presentation")
    about = {} if site is None else {name: getattr(site, name) for name in shared}
    server = AgiServer(handler, AgiSettings("AT", lambda: NOW, **limits, **about))  # type: ignore[arg-type]
    await server.listen("127.0.0.1", 0)
    async with asyncio.timeout(FOREVER_S):
        try:
            yield server
        finally:
            await server.stop(0)
            while server._sessions:
                await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def port(server: AgiServer) -> int:
    return int(server.addresses[0].rpartition(":")[2])


async def held(talk: Talk, asterisk: Asterisk, site: SharedFacts | None = None, **changed: str) -> Seen:
    """Hold a talk on one call, to the end of its connection."""
    seen = Seen()
    async with serving(holding(talk, seen), site) as server:
        await asterisk.call(port(server), **changed)
        await seen.over.wait()
    return seen


def holding(talk: Talk, seen: Seen) -> Handler:
    async def carry(channel: AgiChannel) -> None:
        seen.begun.set()
        try:
            seen.gave = await talk(channel)
        except BaseException as error:
            seen.raised = error
            raise
        finally:
            seen.lost = channel.lost
            seen.over.set()

    return carry


async def waiting(_: Channel) -> object:
    return await asyncio.Event().wait()


async def finished(channel: Channel) -> None:
    await channel.hand_back([("ROUTE_STATUS", "OK")])


def functions(states: Mapping[Operand, Value]) -> dict[str, str]:
    """Return what Asterisk's functions tell when the states are these."""
    found = {"QUEUE_EXISTS(sales)": "1"} if any(left.scope == "queue" for left in states) else {}
    for left, value in states.items():
        if left.scope == "device":
            found[f"DEVICE_STATE(PJSIP/{left.name})"] = str(value).upper()
        elif left.scope == "last_agent":
            found["DB(routing-engine-agent/+436641234567)"] = "201%2C1793523600"
        elif left.scope == "call":
            found |= {"STIR_SHAKEN(count)": "1", "STIR_SHAKEN(0,verify_result)": "success"}
            found["STIR_SHAKEN(0,attestation)"] = str(value)
    members, waiting = states.get(Operand("queue", "sales.members")), states.get(Operand("queue", "sales.waiting"))
    found |= {"QUEUE_MEMBER(sales,logged)": str(members), "QUEUE_WAITING_COUNT(sales)": str(waiting)}
    return found | {"QUEUE_MEMBER(sales,free)": str(states.get(Operand("queue", "sales.free")))}
