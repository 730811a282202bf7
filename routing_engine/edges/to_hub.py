"""The edge's end of the line: it connects, tells what is in the spool, and does what the hub asks.

No call waits for any of it. A line that breaks is made anew with a growing pause, and goes on where the hub's disk is.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass

import aiohttp

from routing_engine.calls.checked import checked
from routing_engine.core.events import Reading
from routing_engine.edges.line import Line, keep_little_ahead, together
from routing_engine.edges.messages import (
    HEARTBEAT_S,
    MOST_BYTES,
    SPEAKS,
    UNDER_WAY,
    Ask,
    Changes,
    Health,
    Hello,
    LineFault,
    Message,
    More,
    NotTaken,
    Phones,
    Piece,
    Refused,
    Stop,
    Taken,
    ToldChange,
    Welcome,
    written,
)
from routing_engine.edges.services import EdgeServices, PbxServices
from routing_engine.edges.spool import Spool
from routing_engine.errors import StorageError, traceback_frames
from routing_engine.logger import Logger
from routing_engine.settings.hub import HubKeys
from routing_engine.storage.spool_table import SpooledChange, SpoolState

#: Where the hub listens for edges.
PATH = "/v1/edges"
#: The first pause after a line that broke, and the longest.
FIRST_S, LONGEST_S = 0.5, 30.0
_JITTER = 0.3
_CONNECT_S = 10.0
HEALTH_S = 5.0
#: What a hub means that does not even begin to talk.
STATUSES = {
    401: ("no_key", "the hub does not know the key", "look at hub.key here and at api_keys of the hub"),
    403: ("no_right", "the key has no right 'edge' at the hub", "write may: [edge] there"),
    404: ("no_hub", "there is no /v1/edges at that address", "look at hub.address; the hub may be older"),
    429: ("too_many_tries", "the hub hears too many tries from here", "wait a minute"),
}

_log = Logger()


@dataclass(frozen=True, slots=True)
class EdgeSide:
    """What the line needs of the edge: its PBXs, those that are heard now, what they can do, and who takes phones."""

    run: str
    engine: str
    pbxs: Callable[[], Sequence[str]]
    up: Callable[[], Sequence[str]]
    service_of: Callable[[str], PbxServices]
    take_phones: Callable[[Mapping[str, str]], None]


class HubLine:
    """`start` it, say that there is news by `told`, `close` it. `now` is the wall clock, `chance` from 0 to 1."""

    def __init__(
        self,
        hub: HubKeys,
        spool: Spool,
        side: EdgeSide,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._hub, self._spool, self._side, self._now, self._chance = hub, spool, side, now, chance
        self._news, self._reached = asyncio.Event(), asyncio.Event()
        self._state = SpoolState(0, None, 0)
        self._up = False
        self._said = ""
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to connect, for ever."""
        self._tasks = [asyncio.create_task(self._run(), name="the hub"), asyncio.create_task(self._look())]

    def told(self) -> None:
        """Note that there is something new in the spool."""
        self._news.set()

    def reached(self) -> None:
        """Note that a PBX is heard from now on: the hub hears of it at once."""
        self._reached.set()

    async def close(self) -> None:
        """End the line; what waits is told after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def readings(self) -> Iterator[Reading]:
        """Yield how the line is, and what waits for it."""
        since = self._state.since
        yield Reading("hub_up", self._up)
        yield Reading("hub_waiting", self._state.waiting)
        yield Reading("hub_lag_seconds", max(0.0, self._now() - since) if since is not None else 0.0)
        yield Reading("hub_aside", self._state.aside)

    # ------------------------------------------------------------------------------------- the connection

    async def _run(self) -> None:
        pause_s = FIRST_S
        while True:
            why = ("hub_down", "the line broke", "")
            try:
                await self._connect()
            except LineFault as fault:
                why = (fault.code, fault.sentence, fault.remedy)
            except aiohttp.WSServerHandshakeError as error:
                why = STATUSES.get(error.status, ("hub_down", f"the hub answered {error.status}", ""))
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                why = ("hub_down", f"it cannot be reached: {type(error).__name__}", "")
            except Exception as error:  # a fault of ours must not end the line for good
                _log.error("hub.failed", error=type(error).__name__, traceback=traceback_frames(error))
            pause_s = FIRST_S if self._up else min(pause_s * 2, LONGEST_S)
            self._note_down(*why)
            await asyncio.sleep(pause_s * (1 + _JITTER * self._chance()))

    def _note_down(self, code: str, why: str, remedy: str) -> None:
        was_up, self._up = self._up, False
        # Once, and again when it is down for another reason: an hour of tries is one line.
        if was_up or self._said != code:
            self._said = code
            if code == "hub_down":
                _log.warning("hub.down", address=self._hub.address, why=why)
            else:
                _log.error("hub.refused", address=self._hub.address, code=code, why=why, remedy=remedy)

    async def _connect(self) -> None:
        times = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=None)
        who = {"Authorization": f"Bearer {self._hub.key}"}
        async with (
            aiohttp.ClientSession(timeout=times, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session,
            asyncio.timeout(_CONNECT_S) as connecting,
            session.ws_connect(
                self._hub.address + PATH, headers=who, heartbeat=HEARTBEAT_S, max_msg_size=MOST_BYTES
            ) as socket,
        ):
            connecting.reschedule(None)
            keep_little_ahead(socket.get_extra_info("transport"))
            await self._talk(Line(socket))

    async def _talk(self, line: Line) -> None:
        side = self._side
        line.say(Hello(SPEAKS, side.engine, side.run, tuple(side.pbxs()), self._now()))
        services = EdgeServices(line, side.service_of)
        room = asyncio.Semaphore(UNDER_WAY)
        welcome = asyncio.Event()
        try:
            await together(
                line.write(),
                self._hear(line, services, room, welcome),
                self._feed(line, room, welcome),
                self._tell_health(line, welcome),
                _in_time(welcome),
            )
        finally:
            await services.close()

    # ------------------------------------------------------------------------------------- what is said

    async def _hear(self, line: Line, services: EdgeServices, room: asyncio.Semaphore, welcome: asyncio.Event) -> None:
        async with aclosing(line.heard()) as heard:
            async for message in heard:
                if isinstance(message, Welcome):
                    self._take_welcome(message)
                    welcome.set()
                elif isinstance(message, Taken):
                    self._take_taken(message)
                    room.release()
                else:
                    self._take(message, services)

    def _take(self, message: Message | Piece, services: EdgeServices) -> None:
        match message:
            case Ask():
                services.ask(message)
            case More():
                services.more(message)
            case Stop():
                services.stop(message)
            case Phones():
                self._side.take_phones(message.phones)
            case Refused():
                raise LineFault(message.code, message.message, message.remedy)
            case _:
                raise LineFault("no_answer", "the hub talks as an edge does", "look at hub.address")

    def _take_welcome(self, welcome: Welcome) -> None:
        self._side.take_phones(welcome.phones)
        self._up, self._said = True, ""
        _log.info("hub.up", address=self._hub.address, edge=welcome.edge, waiting=self._state.waiting)

    def _take_taken(self, taken: Taken) -> None:
        self._spool.taken(taken.number, taken.but)
        if taken.but:
            _log.error("hub.not_taken", count=len(taken.but), number=taken.but[0].number, why=taken.but[0].why)

    async def _feed(self, line: Line, room: asyncio.Semaphore, welcome: asyncio.Event) -> None:
        await welcome.wait()
        after = 0
        while True:
            await room.acquire()
            changes = await self._next(after)
            after = changes[-1].number
            fit = [one for one in changes if _fits(one)]
            if len(fit) < len(changes):
                self._spool.taken(0, [NotTaken(one.number, "it is too large") for one in changes if not _fits(one)])
            if fit:
                line.say(Changes(tuple(_told(one) for one in fit)))
            else:
                room.release()

    async def _next(self, after: int) -> Sequence[SpooledChange]:
        """Wait for something to tell."""
        while True:
            self._news.clear()
            with suppress(StorageError):  # the database tells of it itself
                if changes := await self._spool.next(after):
                    return changes
            with suppress(TimeoutError):
                async with asyncio.timeout(HEALTH_S):
                    await self._news.wait()

    async def _tell_health(self, line: Line, welcome: asyncio.Event) -> None:
        await welcome.wait()
        while True:
            state = self._state
            self._reached.clear()
            line.say(Health(self._now(), state.waiting, state.since, state.aside, tuple(self._side.up())))
            with suppress(TimeoutError):
                async with asyncio.timeout(HEALTH_S):
                    await self._reached.wait()

    async def _look(self) -> None:
        """Know how much waits, also while there is no line."""
        while True:
            with suppress(StorageError):
                self._state = await self._spool.state()
            await asyncio.sleep(HEALTH_S)


async def _in_time(welcome: asyncio.Event) -> None:
    """End the line when the hub does not say whether it wants us."""
    async with asyncio.timeout(_CONNECT_S):
        await welcome.wait()
    await asyncio.Event().wait()


def _told(change: SpooledChange) -> ToldChange:
    return checked(ToldChange, {"number": change.number, "kinds": [*change.kinds], "call": change.call})


def _fits(change: SpooledChange) -> bool:
    # Written exactly only where it could matter.
    return len(change.call) < MOST_BYTES // 16 or len(written(Changes((_told(change),)))) <= MOST_BYTES
