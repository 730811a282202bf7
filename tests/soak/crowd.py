"""A crowd of callers over FastAGI: they listen, type, wait, and some hang up at any moment."""

from __future__ import annotations

import asyncio
import functools
import gc
import itertools
import os
import random
import shlex
import sys
import time
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from routing_engine.engine import open_store
from routing_engine.service import Service
from tests.fakes import DEAD, Asterisk, environment

#: Callers at the same time, and the numbers they call from: some call again.
AT_A_TIME, NUMBERS = 120, 300
#: Those whom no system knows, numbered.
_STRANGERS = itertools.count()
#: Of a hundred callers so many hang up before they are answered, if that takes long enough.
LEAVING = 30
ENGINE = """
region: AT
timezone: Europe/Vienna
listeners: {fastagi: '127.0.0.1:0'}
cache: {entries: 200, path: cache.db}
journal: {path: journal.db}
drain_s: 5
"""
CRM = """
provider: http
address: http://127.0.0.1:PORT/crm
limits: {at_a_time: 40, per_second: 2000}
breaker: {failures: 6, pause_s: 0.1}
models: {contact: {fields: {id: id, name: name, tier: tier}}}
"""
SHOP = """
provider: http
address: http://127.0.0.1:PORT/shop
limits: {at_a_time: 60}
breaker: none
models: {order: {fields: {id: id, name: name}}}
"""
SOURCES = """
deadline_s: DEADLINE
filler: {after_s: 0.05, music: default}
sources:
  - name: by telephone
    integration: crm
    model: contact
    search: {by: caller}
    timeout_s: TIMEOUT
    cache: {ttl_s: 0.5, negative_ttl_s: 0.2, refresh_s: 1}
    stale_for: 1m
    rules:
      - {name: gold, when: {tier: gold}, to: {queue: vip}}
      - {name: known, to: {queue: support}}
  - name: orders
    integration: shop
    model: order
    search: {by: BY}
    rules: [{name: has ordered, to: {queue: orders}}]
default: {play: sorry, to: {queue: reception}}
examples: [{INPUT expect: {reason: no_record}}]
"""
ROUTES = {
    "greeted": "instruction: welcome" + SOURCES.replace("BY", "caller"),
    "silent": SOURCES.replace("BY", "caller"),
    "typed": "instruction: welcome\ninput: {prompt: number, digits: {min: 4, max: 4}}\nlook_ahead: all"
    + SOURCES.replace("BY", "input").replace("INPUT", "input: ['1234'],"),
}


def write(folder: Path, port: int, deadline_s: float = 0.4) -> Path:
    """Write the configuration that the crowd calls; a source has half of the deadline."""
    for name, text in {"engine": ENGINE, "integrations/crm": CRM, "integrations/shop": SHOP}.items():
        file = folder / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.replace("PORT", str(port)))
    for name, text in ROUTES.items():
        file = folder / "routes" / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        times = {"DEADLINE": f"{deadline_s:g}", "TIMEOUT": f"{deadline_s / 2:g}", "INPUT": ""}
        file.write_text(functools.reduce(lambda done, one: done.replace(*one), times.items(), text))
    return folder


@dataclass
class Person(Asterisk):
    """A caller's Asterisk that takes time to play what is heard."""

    listens_s: float = 0.0

    async def serve(self) -> None:
        """Answer commands until the engine closes; a sound lasts."""
        try:
            while line := await self.reader.readline():
                words = shlex.split(line.decode())
                self.commands.append(words)
                if words[0] in ("STREAM", "GET") and self.listens_s:
                    await asyncio.sleep(self.listens_s)
                if not self._react(self._text(words)):
                    break
        except ConnectionError:
            pass
        finally:
            self.writer.close()


@dataclass
class Told:
    """What became of a crowd. `answered` and `left` are the calls' ids; `nothing` those who got no status."""

    answered: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    nothing: list[str] = field(default_factory=list)
    status: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def take(self, call_id: str, person: Person, gone: bool) -> None:
        """Write down how a call ended."""
        found = person.variables
        if "ROUTE_STATUS" in found:
            self.answered.add(call_id)
            self.status[found["ROUTE_STATUS"]] += 1
            self.reasons[found["ROUTE_REASON"]] += 1
        elif gone:
            self.left.add(call_id)
        else:
            self.nothing.append(call_id)


async def crowd(port: int, calls: int, seed: int, prefix: str = "") -> Told:
    """Let so many people call, `AT_A_TIME` at a time."""
    told, ids = Told(), iter(range(calls))
    dice = random.Random(seed)

    async def stand_in_line() -> None:
        for number in ids:
            call_id = f"{prefix}{number}"
            told.take(call_id, *await one_call(port, call_id, dice))

    await asyncio.gather(*(stand_in_line() for _ in range(AT_A_TIME)))
    return told


async def one_call(port: int, call_id: str, dice: random.Random) -> tuple[Person, bool]:
    """Call once; give the person, and whether they hung up."""
    route = dice.choice(tuple(ROUTES))
    person = Person(typed=[f"{dice.randrange(10_000):04}"], listens_s=dice.choice((0, 0.02, 0.15)))
    patience_s = dice.uniform(0, 0.25) if dice.randrange(100) < LEAVING else None
    number = f"+43664{1_000_000 + dice.randrange(NUMBERS)}"
    await person.connect(port)
    person.send(environment(network_script=route, uniqueid=call_id, callerid=number))
    serving = asyncio.ensure_future(person.serve())
    done, _ = await asyncio.wait({serving}, timeout=patience_s)
    if not done:
        hang_up(person, dice.choice(("hangup", "close", "reset")))
    await serving
    return person, not done


def hang_up(person: Person, how: str) -> None:
    """End a call as Asterisk does, or as a network does."""
    if how == "reset":
        person.reset()
    elif how == "close":
        person.writer.close()
    else:
        person.on = {"": DEAD}
        person.send("HANGUP\n")


@asynccontextmanager
async def engine(folder: Path) -> AsyncIterator[tuple[Service, int]]:
    """The service as it runs, and its port."""
    service = Service(open_store(folder))
    await service.start()
    running = asyncio.ensure_future(service.run())
    try:
        yield service, int(service.addresses[0].rpartition(":")[2])
    finally:
        service.stop()
        await running


# -------------------------------------------------------------------------------------------------- the books


@dataclass(frozen=True)
class Books:
    """What a process holds: tasks of its loop, open files and sockets, objects by their class, blocks of memory."""

    tasks: int
    files: int
    objects: Counter[str]
    blocks: int

    def grown(self, since: Books) -> dict[str, int]:
        """Return how many more objects there are of each class."""
        return dict(self.objects - since.objects)


def books() -> Books:
    """Count what is held now, after a sweep."""
    while gc.collect():
        pass
    blocks = sys.getallocatedblocks()
    return Books(len(asyncio.all_tasks()), open_files(), Counter(map(_class_of, gc.get_objects())), blocks)


def open_files() -> int:
    """Return how many files and sockets this process holds."""
    return len(os.listdir("/proc/self/fd"))


def _class_of(one: object) -> str:
    # `isinstance` remembers, for every abstract class, each class that it has seen: no leak, and it comes in heaps.
    remembered = isinstance(one, weakref.ref) and isinstance(one(), type)
    return "what isinstance remembers" if remembered else f"{type(one).__module__}.{type(one).__qualname__}"


async def settle(service: Service, files: int | None = None, patience_s: float = 60.0) -> list[str]:
    """Wait until nothing is under way and no more than `files` are open; give what still is when patience ends."""
    end = time.monotonic() + patience_s
    while (left := list(under_way(service, files))) and time.monotonic() < end:
        await asyncio.sleep(0.01)
    return left


async def empty_the_pools(service: Service, port: int, middleware: int, files: int) -> Told:
    """Let the engine have no kept connection to the middleware: how many it has at a time is no leak."""
    await _tell(middleware, "/rest")
    assert await settle(service, files) == []
    # A pool forgets its dead connections when it is asked for one. Who calls here is known to neither system, so that
    # both are asked; a breaker may still be open.
    told = Told()
    while not told.reasons["no_record"]:
        number, person = next(_STRANGERS), Person()
        await person.call(port, network_script="silent", callerid=f"+43664{number:06}3", uniqueid=f"stranger{number}")
        told.take(f"stranger{number}", person, gone=False)
    await _tell(middleware, "/work")
    assert await settle(service, files) == []
    return told


async def _tell(port: int, what: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {what} HTTP/1.1\r\n\r\n".encode())
    await reader.read()  # until it has done so
    writer.close()


def under_way(service: Service, files: int | None) -> Iterator[str]:
    """Name what the service still does for calls: there is no other door to that."""
    (now,) = service.calls.active
    if now.calls:
        yield f"{now.calls} calls"
    if service._server is not None and service._server.calls:
        yield f"{service._server.calls} sessions"
    for name, limiter in now.limiters.items():
        free = sum(iter(limiter.take, False))
        for _ in range(free):
            limiter.give()
        if free < now.configuration.integrations[name].limits.at_a_time:
            yield f"{name}: {free} places are free, or somebody waits"
    if now.lookup.asking:
        yield f"{now.lookup.asking} look-ups are shared"
    if files is not None and (opened := open_files()) > files:
        yield f"{opened - files} files more are open"
