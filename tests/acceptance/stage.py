"""The stage of these tests: one Asterisk and one telephone for all, an engine for each file, and the calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from rig.asterisk import Asterisk, Landing
from rig.conf import PATIENCE_S
from rig.sip import Call, Phone, sound

from .engine import Engine, write_configuration
from .middleware import Middleware
from .scenery import HZ, NOBODY

#: The application in which a call of each kind is at its destination; any step of the context for the other kinds.
APPLICATIONS = {
    "queue": "Queue",
    "extension": "Dial",
    "ring_group": "Dial",
    "external": "Dial",
    "voicemail": "VoiceMail",
    "conference": "ConfBridge",
    "announcement": "Playback",
    "hangup": "Hangup",
    "callback": "UserEvent",
}
callers = count(7_000_000)


@dataclass
class House:
    """What all tests share. `calls` counts the calls placed; so many at a time wait at the `door` to be answered."""

    asterisk: Asterisk
    phone: Phone
    middleware: Middleware
    calls: int = 0
    # An engine has 4 s to answer a call, which the dialplan says: forty at once would try the machine and nothing else.
    door: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(6))


@asynccontextmanager
async def engine_of(
    middleware: Middleware, routes: Mapping[str, str], settings: str = "", folder: Path | None = None
) -> AsyncIterator[Engine]:
    """An engine with these routes, its configuration in a folder of its own."""
    with TemporaryDirectory(prefix="acceptance-") as made:
        place = folder or Path(made)
        write_configuration(place, routes, middleware.address, settings)
        async with Engine.serving(place) as engine:
            yield engine


@dataclass
class Stage:
    """One test's view: the house and the engine that its calls ask."""

    house: House
    engine: Engine

    @property
    def asterisk(self) -> Asterisk:
        """The Asterisk of all tests."""
        return self.house.asterisk

    @property
    def middleware(self) -> Middleware:
        """The middleware of all tests."""
        return self.house.middleware

    async def dial(
        self,
        route: str,
        *,
        caller: str | None = None,
        name: str = "",
        withheld: bool = False,
        engines: Sequence[str] | None = None,
        emergency: str = "",
    ) -> Call:
        """A call to a route, from a number that nobody else has; `engines` are the addresses asked in order."""
        first, second = (*(engines if engines is not None else [self.engine.address]), NOBODY, NOBODY)[:2]
        headers = {"X-Engine-1": first, "X-Engine-2": second, "X-Emergency": emergency}
        self.house.calls += 1
        return await self.house.phone.dial(
            self.asterisk.sip_address,
            route,
            caller=f"+43664{next(callers)}" if caller is None else caller,
            name=name,
            withheld=withheld,
            headers={key: value for key, value in headers.items() if value},
        )

    async def call(self, route: str, **how: object) -> Call:
        """The same, answered."""
        async with self.house.door:
            call = await self.dial(route, **how)  # type: ignore[arg-type]
            await call.answered()
        return call

    async def typed(self, route: str, *tries: str, **how: object) -> Call:
        """The same, and the digits of each try typed once its prompt is heard."""
        call = await self.call(route, **how)
        for number, digits in enumerate(tries, start=1):
            await hears(call, "prompt", times=number)
            await call.press(digits, 60, 40)
        return call

    async def lands(self, call: Call, kind: str, timeout_s: float = PATIENCE_S) -> Landing:
        """Where a call landed: the step of the shipped context of this kind that runs its application."""
        application = APPLICATIONS.get(kind, "*")
        return await self.asterisk.landed(call, f"routing-engine-{kind}", timeout_s, application=application)

    async def joins_queue(self, call: Call, queue: str, position: int) -> None:
        """Wait until Queue() has really put the call at this position (1 is the next to be answered)."""
        uniqueid = await self.asterisk.uniqueid(call)
        await self.asterisk.wait_event("QueueCallerJoin", Uniqueid=uniqueid, Queue=queue, Position=str(position))

    async def channel(self, call: Call) -> str:
        """The name of the channel on which the call came in."""
        uniqueid = await self.asterisk.uniqueid(call)
        return next(event["Channel"] for event in self.asterisk.ami.events_about(uniqueid) if "Channel" in event)

    async def gone(self, call: Call) -> None:
        """Wait until Asterisk has no channel of this call any more."""
        uniqueid = await self.asterisk.uniqueid(call)
        await self.asterisk.wait_event("Hangup", Uniqueid=uniqueid)
        assert uniqueid not in await self.asterisk.command("core show channels concise")


async def hears(call: Call, name: str, timeout_s: float = PATIENCE_S, times: int = 1) -> None:
    """Wait until the caller has heard one of the site's sounds as often."""
    matches = sound(0.1, hz=HZ[name])
    await call.hears(lambda segment: matches(segment) and sum(map(matches, call.heard)) >= times, timeout_s)


async def typed_as(wanted: str, types: Callable[[], Awaitable[str]]) -> str:
    """Return what arrives of what a caller types; call again when that is not as wanted, five times.

    Asterisk loses a key that is pressed while no command runs, and on a busy machine that moment is long. What we lose
    ourselves we lose every time.
    """
    for _ in range(5):
        if (arrived := await types()) == wanted:
            return arrived
    return await types()


def told(landing: Landing, *names: str) -> tuple[str, ...]:
    """The values of ROUTE_ variables, by the names without that prefix."""
    return tuple(landing.variables.get(f"ROUTE_{name}", "-") for name in names)
