"""A hub and an edge in one process, each with its database, and a wire between them that can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from routing_engine.call_book import CallBook
from routing_engine.calls.call import Call
from routing_engine.calls.changes import CallChanged, ChangeKind
from routing_engine.calls.ports import JsonField, SoundFile
from routing_engine.calls.tracker import TrackedCall
from routing_engine.core.events import Event
from routing_engine.edges.hub import EdgeHub, EdgeRules
from routing_engine.edges.messages import SPEAKS, Hello, Message, read, written
from routing_engine.edges.services import PbxServices
from routing_engine.edges.spool import Spool
from routing_engine.edges.to_hub import EdgeSide, HubLine
from routing_engine.settings.api import Program
from routing_engine.settings.hub import HubKeys
from routing_engine.settings.people import People
from routing_engine.storage.connector import DatabasePlace
from routing_engine.storage.database import Database
from routing_engine.web.access import Access
from routing_engine.web.api import ApiListener
from routing_engine.web.edges_api import EdgesApi
from tests.wire import Wire

AT = 1_764_500_000.25
OFFICE, BRANCH = "o" * 20, "b" * 20
PATIENCE_S = 60.0
KEYS = {
    "office": Program("office", OFFICE, frozenset({"edge"})),
    "branch": Program("branch", BRANCH, frozenset({"edge"})),
}
RULES = EdgeRules({"main": "office", "second": "branch"}, {"main/201": "anna", "second/301": "bert"}, KEYS)


def call_id(number: int) -> str:
    return f"{number:08x}-0000-7000-8000-000000000000"


def call(number: int, pbx: str = "main", **more: object) -> Call:
    return Call(call_id(number), pbx, f"{1764500000 + number}.1", "inbound", AT + number, **more)  # type: ignore[arg-type]


class Told:
    """What a book publishes."""

    def __init__(self) -> None:
        self.changes: list[CallChanged] = []
        self._more = asyncio.Event()

    def __call__(self, event: Event) -> None:
        assert isinstance(event, CallChanged)
        self.changes.append(event)
        self._more.set()

    def of(self, call: Call) -> list[ChangeKind]:
        return [kind for one in self.changes if one.call.id == call.id for kind in one.kinds]

    async def until(self, wanted: Callable[[CallChanged], bool]) -> Call:
        async with asyncio.timeout(PATIENCE_S):
            while not (found := [one.call for one in self.changes if wanted(one)]):
                self._more.clear()
                await self._more.wait()
        return found[-1]

    async def ended(self, *calls: Call) -> None:
        for one in calls:
            await self.until(lambda change, ended=one.id: change.call.id == ended and change.call.state == "ended")  # type: ignore[misc]


@dataclass
class HubSite:
    """The hub: `told` is what its subscribers hear."""

    book: CallBook
    hub: EdgeHub
    told: Told
    port: int
    listener: ApiListener
    database: Database
    published: list[Event]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def hub_at(folder: Path, port: int = 0, told: Told | None = None) -> AsyncIterator[HubSite]:
    folder.mkdir(exist_ok=True)
    database, told = Database(DatabasePlace(folder / "calls.db")), told or Told()
    await database.open()
    book = CallBook(database, told)
    await book.open()
    published: list[Event] = []
    hub = EdgeHub(book, published.append)
    hub.change(RULES)
    listener = ApiListener((EdgesApi(hub),), Access([*KEYS.values()], People(), lambda: 0.0))
    await listener.listen("127.0.0.1", port)
    try:
        yield HubSite(book, hub, told, int(listener.addresses[0].rpartition(":")[2]), listener, database, published)
    finally:
        hub.close()
        await listener.stop()
        await database.close()


@dataclass
class FakePbx:
    """Recordings by name, and a PBX that notes what it is told."""

    sounds: dict[str, bytes] = field(default_factory=dict)
    told: list[tuple[str, Mapping[str, str | Sequence[str]]]] = field(default_factory=list)
    reachable: bool = True
    opened: int = 0

    async def find(self, name: str) -> SoundFile | None:
        sound = self.sounds.get(name)
        if sound is None:
            return None
        return SoundFile(name, 2.5, lambda: self._read(sound), len(sound))

    async def _read(self, sound: bytes) -> AsyncIterator[bytes]:
        self.opened += 1
        for start in range(0, len(sound), 65536):
            yield sound[start : start + 65536]

    async def close(self) -> None:
        """Nothing is open."""

    async def action(self, name: str, fields: Mapping[str, str | Sequence[str]]) -> Sequence[Mapping[str, str]]:
        self.told.append((name, fields))
        return [{"Response": "Success"}]

    async def originate(self, channel: str, fields: Mapping[str, str | Sequence[str]]) -> bool:
        self.told.append((f"originate {channel}", fields))
        return True

    async def rest(self, method: str, path: str, body: Mapping[str, JsonField] | None = None) -> int:
        self.told.append((f"{method} {path}", {}))
        return 204


@dataclass
class EdgeSite:
    """The edge: what its PBX does goes into `book`, as a watcher puts it."""

    book: CallBook
    database: Database
    line: HubLine
    spool: Spool
    pbx: FakePbx
    phones: dict[str, str]

    async def happens(self, call: Call, *kinds: ChangeKind) -> None:
        await self.book.take([TrackedCall(call, kinds)])
        await self.database.flush()
        self.line.told()

    async def all_taken(self) -> None:
        """Wait until the hub has everything."""
        async with asyncio.timeout(PATIENCE_S):
            while (await self.spool.state()).waiting:
                await self.database.flush()


@asynccontextmanager
async def edge_at(
    folder: Path, address: str, key: str = OFFICE, pbxs: tuple[str, ...] = ("main",), run: str = "run-1"
) -> AsyncIterator[EdgeSite]:
    folder.mkdir(exist_ok=True)
    database = Database(DatabasePlace(folder / "calls.db"))
    await database.open()
    spool, pbx, phones = Spool(database), FakePbx(), dict[str, str]()
    book = CallBook(database, lambda _: None, spool.plan)
    await book.open()
    side = EdgeSide(run, "0.0.0", lambda: pbxs, lambda: pbxs, lambda _: PbxServices(pbx, pbx), phones.update)
    line = HubLine(HubKeys(address, key), spool, side, chance=lambda: 0.0)
    line.start()
    try:
        yield EdgeSite(book, database, line, spool, pbx, phones)
    finally:
        await line.close()
        await database.close()


@asynccontextmanager
async def both(folder: Path) -> AsyncIterator[tuple[HubSite, EdgeSite, Wire]]:
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(hub_at(folder / "hub"))
        wire = await stack.enter_async_context(Wire(lambda: hub.port).open())
        edge = await stack.enter_async_context(edge_at(folder / "edge", f"http://127.0.0.1:{wire.port}"))
        yield hub, edge, wire


class Stranger:
    """Whoever has a key and talks as he likes."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def say(self, *messages: Message | str | bytes) -> None:
        for one in messages:
            if isinstance(one, bytes):
                await self._socket.send_bytes(one)
            else:
                await self._socket.send_str(one if isinstance(one, str) else written(one))

    async def hears(self) -> Message | None:
        """The next message; None when the line is over."""
        came = await self._socket.receive(PATIENCE_S)
        return read(came.data) if came.type is aiohttp.WSMsgType.TEXT else None


@asynccontextmanager
async def stranger(hub: HubSite, key: str = OFFICE) -> AsyncIterator[Stranger]:
    async with aiohttp.ClientSession() as session:
        who = {"Authorization": f"Bearer {key}"}
        async with session.ws_connect(f"{hub.url}/v1/edges", headers=who, max_msg_size=0) as socket:
            yield Stranger(socket)


def hello(*pbxs: str, run: str = "x", speaks: int = SPEAKS) -> Hello:
    return Hello(speaks, "0.0.0", run, pbxs or ("main",), 0.0)
