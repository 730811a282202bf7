"""The hub's side: edges come to it, each with its key; their PBXs are reached as if they stood here."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from aiohttp import web

from routing_engine.call_book import CallBook
from routing_engine.calls.as_json import JsonObject, JsonValue
from routing_engine.calls.changes import PbxReached
from routing_engine.calls.ports import JsonField, PbxCommands, SoundFile
from routing_engine.core.events import Publish, Reading
from routing_engine.edges.far_line import FarLine
from routing_engine.edges.line import Line, keep_little_ahead
from routing_engine.edges.messages import (
    HEARTBEAT_S,
    MOST_BYTES,
    OLDEST,
    SPEAKS,
    Hello,
    LineFault,
    Refused,
    Welcome,
)
from routing_engine.edges.taking import EdgeRights, EdgeTaker
from routing_engine.errors import PbxDown, ProviderUnreachable
from routing_engine.logger import Logger
from routing_engine.pbx.recordings import Recordings
from routing_engine.settings.api import Program

_HELLO_S = 10.0
#: So many connections of one edge may be about to say who they are.
_MOST_AT_THE_DOOR = 4

_log = Logger()


@dataclass(frozen=True, slots=True)
class EdgeRules:
    """What the configuration says: which edge a PBX belongs to, whose a phone is, and the keys of edges."""

    edges: Mapping[str, str] = field(default_factory=dict)
    phones: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, Program] = field(default_factory=dict)

    def rights(self, edge: str) -> EdgeRights:
        """Return what an edge may tell of."""
        pbxs = frozenset(pbx for pbx, owner in self.edges.items() if owner == edge)
        phones = {phone: user for phone, user in self.phones.items() if phone.partition("/")[0] in pbxs}
        return EdgeRights(pbxs, phones)


class EdgeHub:
    """Every line that there is, by edge. `change` it with the configuration, `serve` each request, `close` it.

    A PBX that an edge hears again is published as `PbxReached`.
    """

    def __init__(self, book: CallBook, publish: Publish = lambda _: None, now: Callable[[], float] = time.time) -> None:
        self._book, self._publish, self._now = book, publish, now
        self._rules = EdgeRules()
        self._lines: dict[str, FarLine] = {}
        self._at_the_door: Counter[str] = Counter()
        self._said: dict[str, str] = {}

    def change(self, rules: EdgeRules) -> None:
        """Take what a reload brings. A line whose key or whose PBXs have changed is ended: it comes again."""
        before, self._rules = self._rules, rules
        for edge, line in self._lines.items():
            rights = rules.rights(edge)
            if before.keys.get(edge) != rules.keys.get(edge) or not rights.pbxs.issuperset(line.hello.pbxs):
                line.end(LineFault("changed", "the hub's configuration has changed", "nothing: connect again"))
            else:
                line.change(rights)

    def line_of(self, pbx: str) -> FarLine | None:
        """Return the line to the edge of a PBX; None while there is none, or the edge does not have it."""
        line = self._lines.get(self._rules.edges.get(pbx, ""))
        return line if line is not None and pbx in line.hello.pbxs else None

    def knows(self, pbx: str) -> bool:
        """Return whether a PBX is an edge's, connected or not."""
        return pbx in self._rules.edges

    def recordings(self, pbx: str) -> Recordings:
        """Return where the recordings of an edge's PBX are."""
        return FarRecordings(self, pbx)

    def commands(self, pbx: str) -> PbxCommands:
        """Return what tells an edge's PBX what to do."""
        return FarCommands(self, pbx)

    def about(self, edge: str) -> JsonObject:
        """Return what there is of an edge, for whoever has its key."""
        line = self._lines.get(edge)
        pbxs: list[JsonValue] = [*sorted(self._rules.rights(edge).pbxs)]
        return {"edge": edge, "speaks": SPEAKS, "connected": line is not None, "pbxs": pbxs}

    def readings(self) -> Iterator[Reading]:
        """Yield how every edge that is configured is."""
        for edge in sorted(set(self._rules.edges.values())):
            line = self._lines.get(edge)
            yield Reading("edge_up", line is not None, (edge,))
            if line is not None:
                health = line.health
                yield Reading("edge_waiting", health.waiting, (edge,))
                lag_s = 0.0 if health.since is None else max(0.0, health.at - health.since)
                yield Reading("edge_lag_seconds", lag_s, (edge,))
                yield Reading("edge_aside", health.aside, (edge,))
                yield Reading("edge_clock_ahead_seconds", line.ahead_s, (edge,))
        for pbx in sorted(self._rules.edges):
            far = self.line_of(pbx)
            yield Reading("pbx_up", far is not None and pbx in far.health.up, (pbx,))

    def close(self) -> None:
        """End every line. The listener that they came in by is closed already, and they with it."""
        for line in [*self._lines.values()]:
            line.end(LineFault("closing", "the hub is stopping", "nothing: connect again"))

    # ------------------------------------------------------------------------------------- one connection

    async def serve(self, request: web.BaseRequest, edge: str) -> web.StreamResponse:
        """Talk with an edge whose key was looked at, until it goes."""
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=MOST_BYTES, compress=False, timeout=1.0)
        await socket.prepare(request)
        keep_little_ahead(request.transport)
        line = Line(socket)
        try:
            if self._at_the_door[edge] >= _MOST_AT_THE_DOOR:
                raise LineFault("too_many", "too many connections with this key say nothing", "end them")
            await self._talk(edge, line, request.remote or "")
        except LineFault as fault:
            self._note_refused(edge, fault)
            await line.refuse(Refused(fault.code, fault.sentence, fault.remedy))
        except (OSError, TimeoutError):
            pass  # it is gone, or said nothing
        with suppress(OSError, TimeoutError):
            await socket.close()
        return socket

    async def _talk(self, edge: str, line: Line, address: str) -> None:
        hello = await self._hello(edge, line)
        rights = self._rules.rights(edge)
        self._look_at(edge, hello, rights)
        taker = EdgeTaker(self._book, self._now)
        far = FarLine(edge, hello, line, rights, taker, lambda pbx: self._publish(PbxReached(pbx)), self._now)
        if (before := self._lines.pop(edge, None)) is not None:
            before.end(LineFault("again", "the same edge has connected anew", "nothing"))
        self._lines[edge] = far
        self._said.pop(edge, None)
        line.say(Welcome(edge, SPEAKS, rights.phones))
        _log.info("edge.up", edge=edge, address=address, pbxs=sorted(hello.pbxs), engine=hello.engine[:40])
        try:
            await far.talk()
        finally:
            if self._lines.get(edge) is far:
                del self._lines[edge]
                _log.warning("edge.down", edge=edge)

    async def _hello(self, edge: str, line: Line) -> Hello:
        self._at_the_door[edge] += 1
        try:
            async with asyncio.timeout(_HELLO_S), aclosing(line.heard()) as heard:
                async for first in heard:
                    if isinstance(first, Hello):
                        return first
                    break
        finally:
            self._at_the_door[edge] -= 1
        raise LineFault("no_hello", "an edge says who it is first", "look at its version")

    def _look_at(self, edge: str, hello: Hello, rights: EdgeRights) -> None:
        """Raise `LineFault` for an edge that cannot be taken."""
        if hello.speaks > SPEAKS:
            raise LineFault("edge_newer", "the edge is newer than the hub", "bring the hub up to date first")
        if hello.speaks < OLDEST:
            raise LineFault("edge_older", "the edge is older than this hub understands", "bring the edge up to date")
        strange = sorted(set(hello.pbxs) - rights.pbxs)
        if strange:
            name = strange[0][:64]
            sentence = f"the PBX '{name}' is not that of the edge '{edge}' at the hub"
            raise LineFault("not_its_pbx", sentence, f"write edge: {edge} into pbxs/{name}.yaml of the hub")
        before = self._lines.get(edge)
        if before is not None and before.hello.run != hello.run:
            # Whichever would be believed, both would tell of the same calls.
            remedy = "give each engine a key of its own; after a failure of the network wait some seconds"
            raise LineFault("edge_twice", f"another engine is connected with the key of '{edge}'", remedy)

    def _note_refused(self, edge: str, fault: LineFault) -> None:
        # Once for each reason: it comes again and again.
        if self._said.get(edge) != fault.code and fault.code not in ("again", "changed", "closing"):
            self._said[edge] = fault.code
            _log.error("edge.refused", edge=edge, code=fault.code, why=fault.sentence, remedy=fault.remedy)


class FarRecordings:
    """The recordings of a PBX beside an edge: keeps the port `Recordings`."""

    def __init__(self, hub: EdgeHub, pbx: str) -> None:
        self._hub, self._pbx = hub, pbx

    async def find(self, name: str) -> SoundFile | None:
        """Return a recording that is final."""
        line = self._hub.line_of(self._pbx)
        if line is None:
            raise ProviderUnreachable(f"the edge of the PBX '{self._pbx}' is not connected")
        return await line.find(self._pbx, name)

    async def close(self) -> None:
        """Nothing is open: the line is the hub's."""


class FarCommands:
    """A PBX beside an edge: keeps the port `PbxCommands`."""

    def __init__(self, hub: EdgeHub, pbx: str) -> None:
        self._hub, self._pbx = hub, pbx

    @property
    def reachable(self) -> bool:
        """Whether it can be told something now."""
        line = self._hub.line_of(self._pbx)
        return line is not None and self._pbx in line.health.up

    async def action(self, name: str, fields: Mapping[str, str | Sequence[str]]) -> Sequence[Mapping[str, str]]:
        """Do as the port says."""
        found = await self._line().ask("action", self._pbx, {"name": name, "fields": _sent(fields)})
        if not isinstance(found, list):
            raise PbxDown("the edge's answer is none")
        return [{key: str(value) for key, value in one.items()} for one in found if isinstance(one, dict)]

    async def originate(self, channel: str, fields: Mapping[str, str | Sequence[str]]) -> bool:
        """Do as the port says."""
        body: JsonObject = {"channel": channel, "fields": _sent(fields)}
        return await self._line().ask("originate", self._pbx, body) is True

    async def rest(self, method: str, path: str, body: Mapping[str, JsonField] | None = None) -> int:
        """Do as the port says."""
        sent: JsonValue = None if body is None else {name: _json(value) for name, value in body.items()}
        found = await self._line().ask("rest", self._pbx, {"method": method, "path": path, "body": sent})
        if not isinstance(found, int):
            raise PbxDown("the edge's answer is none")
        return found

    def _line(self) -> FarLine:
        line = self._hub.line_of(self._pbx)
        if line is None:
            raise PbxDown(f"the edge of the PBX '{self._pbx}' is not connected")
        return line


def _sent(fields: Mapping[str, str | Sequence[str]]) -> JsonObject:
    return {name: value if isinstance(value, str) else [*value] for name, value in fields.items()}


def _json(value: JsonField) -> JsonValue:
    return value if isinstance(value, str | int) else [dict(one) for one in value]
