"""`GET /v1/stream`: the calls under way, then every change of them, for as long as somebody listens.

One ring of the last changes serves everybody, and each reader has a place in it: nothing is kept for one who is slow,
and none can hold up another one or a call. A program gets every change; the page of a person, which draws a call as it
is, gets those that wait for it as one. Server-sent events as HTML has them (section 9.2 of its standard).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol, TypeAlias

from routing_engine.calls.as_json import JsonObject, JsonValue
from routing_engine.calls.call import Call
from routing_engine.calls.changes import CallChanged
from routing_engine.core.ports import Clock
from routing_engine.web.endpoints import Endpoint, Gives, Parameter
from routing_engine.web.requests import Actor, ApiError, ApiRequest, StreamAnswer
from routing_engine.web.rights import sees, shown

#: So many changes are remembered for who comes back: some minutes of a site, seconds of a flood.
MOST_KEPT = 2000
#: A comment so often keeps proxies from ending what is silent; and whether one still may listen is looked at.
HEARTBEAT_S = 15.0
#: Between heartbeats it is looked at no more often than this, unless somebody says that rights have changed.
_LOOK_AGAIN_S = 5.0
#: Pages of one person, or what one program opens, and nobody fills all places of the listener.
MOST_STREAMS = 50
_AT_ONCE = 50
#: What comes within this time behind a change is told to a page together: nobody sees so little, and where forty
#: telephones ring, forty pages would draw each of the others' rings.
GATHER_S = 0.02
_MEDIA_TYPE = "text/event-stream"
#: Proxies of nginx keep answers back until there is a lot of them; and a browser comes back after so many ms.
_HEADERS = {"X-Accel-Buffering": "no"}
_RETRY = b"retry: 2000\n\n"
_SUMMARY = (
    "Hear of calls as they change: `event: snapshot` with those under way, then an event for each change "
    "(`call.ringing` and the others of webhooks) with the call in `data:`."
)
_LAST_ID = Parameter("Last-Event-ID", "the id of the last event: goes on there, without a snapshot", where="header")

#: What a reader may read of a record decides how a call is written: it is written once for all who may read the same.
_Eyes: TypeAlias = tuple[bool, frozenset[str]]


class OpenCalls(Protocol):
    """The book of calls, as far as a stream begins with it."""

    def open_calls(self) -> Sequence[Call]:
        """Return the calls that have not ended."""


@dataclass(eq=False, slots=True)
class StreamedChange:
    """One event of the stream, and how its call is written for whom: once for all kinds of one change."""

    number: int
    kind: str
    call: Call
    written: dict[_Eyes, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class _Reader:
    """Somebody who listens: who it is, the number of the last change that was sent, and when both were looked at."""

    actor: Actor
    number: int
    looked_at: float
    review: int


class CallStream:
    """Takes every change of a call with `hear`. `now` is the wall clock, `clock` monotonic; both in seconds."""

    def __init__(
        self,
        book: OpenCalls,
        clock: Clock = time.monotonic,
        now: Callable[[], float] = time.time,
        heartbeat_s: float = HEARTBEAT_S,
        most_kept: int = MOST_KEPT,
        gather_s: float = GATHER_S,
    ) -> None:
        self._book, self._clock, self._heartbeat_s, self._gather_s = book, clock, heartbeat_s, gather_s
        # Numbers begin anew with the engine: what one says of the time before must not be taken for ours.
        self._began = round(now() * 1000)
        self._ring: deque[StreamedChange] = deque(maxlen=most_kept)
        self._newest, self._review = 0, 0
        self._news = asyncio.Event()
        self._readers: Counter[tuple[str, bool]] = Counter()

    @property
    def readers(self) -> int:
        """How many listen now."""
        return self._readers.total()

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
        events = Gives("events, until the session or the right ends", media_type=_MEDIA_TYPE)
        return (Endpoint("GET", "/v1/stream", "calls.read", self._open, _SUMMARY, (_LAST_ID,), gives=(events,)),)

    def hear(self, event: CallChanged) -> None:
        """Take a change of a call: for who listens, and for who comes back."""
        written: dict[_Eyes, bytes] = {}
        # How far a delivery is makes no event of a webhook, but a page shows it.
        for kind in event.kinds or ("call.updated",):
            self._newest += 1
            self._ring.append(StreamedChange(self._newest, kind, event.call, written))
        self._wake()

    def review(self) -> None:
        """Look at once whether everybody who listens still may: a session ended, or rights have changed."""
        self._review += 1
        self._wake()

    def _wake(self) -> None:
        # One for all who wait: however many listen, a change costs the call the same.
        self._news.set()
        self._news = asyncio.Event()

    # ------------------------------------------------------------------------------------- one reader

    async def _open(self, request: ApiRequest) -> StreamAnswer:
        who = request.actor
        if self._readers[who.name, who.user is None] >= MOST_STREAMS:
            sentence = f"'{who.name}' listens {MOST_STREAMS} times already"
            raise ApiError(429, "too_many_streams", sentence, "close some", {"Retry-After": "60"})
        return StreamAnswer(self._pieces(request), _MEDIA_TYPE, headers=_HEADERS)

    async def _pieces(self, request: ApiRequest) -> AsyncGenerator[bytes, None]:
        name = request.actor.name, request.actor.user is None
        self._readers[name] += 1
        try:
            number = self._number_of(request.headers.get("Last-Event-ID", ""))
            reader = _Reader(request.actor, self._newest if number is None else number, self._clock(), self._review)
            yield _RETRY + (self._snapshot(reader) if number is None else b"")
            async for piece in self._changes(reader, request):
                yield piece
        except ApiError:
            return  # one who may not any more gets no reason: the next request tells it
        finally:
            self._readers -= Counter([name])  # one of 0 is gone

    async def _changes(self, reader: _Reader, request: ApiRequest) -> AsyncGenerator[bytes, None]:
        while True:
            heard = await self._heard(reader)
            # Before anything more is told: the right may have gone since.
            await self._look_again(reader, request, not heard)
            if not heard:
                yield b": still here\n\n"
            if changes := self._behind(reader):
                reader.number = changes[-1].number
                if told := self._told(changes, reader.actor):
                    yield told
                    await self._gather(reader)
            if self._lost(reader.number):
                return  # too slow for the ring: begins anew, with a snapshot

    async def _heard(self, reader: _Reader) -> bool:
        """Wait for a change or a review; False where there is none for the length of a heartbeat."""
        if reader.number != self._newest or reader.review != self._review:
            return True
        try:
            async with asyncio.timeout(self._heartbeat_s):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def _gather(self, reader: _Reader) -> None:
        """Let the next changes of the call that a page has just heard of come together."""
        if reader.actor.user is not None and self._newest - reader.number < _AT_ONCE:
            await asyncio.sleep(self._gather_s)

    async def _look_again(self, reader: _Reader, request: ApiRequest, silent: bool) -> None:
        """Look whether somebody still may listen, and to what. Raises `ApiError` when not."""
        now = self._clock()
        if silent or reader.review != self._review or now - reader.looked_at >= _LOOK_AGAIN_S:
            reader.review, reader.looked_at = self._review, now
            reader.actor = await request.again()

    # ------------------------------------------------------------------------------------- the ring

    def _behind(self, reader: _Reader) -> list[StreamedChange]:
        """Return the next changes that a reader has not got; none where some are gone already."""
        if self._lost(reader.number):
            return []
        # From the newest backwards: a reader is near the end.
        wanted = self._newest - reader.number
        return list(islice(reversed(self._ring), max(0, wanted - _AT_ONCE), wanted))[::-1]

    def _lost(self, number: int) -> bool:
        """Return whether a change behind this one is not in the ring any more."""
        return number < self._newest - len(self._ring)

    def _number_of(self, last_id: str) -> int | None:
        """Return the number that an id stands for, None where nobody can go on from it."""
        began, _, number = last_id.strip().partition("-")
        if began != str(self._began) or not (number.isascii() and number.isdecimal()) or len(number) > 18:
            return None
        return None if self._lost(int(number)) or int(number) > self._newest else int(number)

    def _snapshot(self, reader: _Reader) -> bytes:
        calls: list[JsonValue] = [
            shown(reader.actor, call) for call in self._book.open_calls() if sees(reader.actor, call)
        ]
        data: JsonObject = {"calls": calls}
        return self._event(reader.number, "snapshot", json.dumps(data).encode())

    def _told(self, changes: Sequence[StreamedChange], actor: Actor) -> bytes:
        """Return some changes as somebody may see them. A page gets each kind once, with the call as it is by now."""
        seen = [one for one in changes if sees(actor, one.call)]
        eyes = actor.user is None, frozenset(name for name, verbs in actor.models.items() if "read" in verbs)
        if actor.user is None:
            return b"".join(self._written(one, one, actor, eyes) for one in seen)
        newest = {one.call.id: one for one in seen}
        kinds = {(one.call.id, one.kind): one for one in seen}
        # In the order of their numbers: who comes back with the last one has missed nothing.
        told = sorted(kinds.values(), key=lambda one: one.number)
        return b"".join(self._written(one, newest[one.call.id], actor, eyes) for one in told)

    def _written(self, change: StreamedChange, newest: StreamedChange, actor: Actor, eyes: _Eyes) -> bytes:
        if eyes not in newest.written:
            newest.written[eyes] = json.dumps(shown(actor, newest.call)).encode()
        return self._event(change.number, change.kind, newest.written[eyes])

    def _event(self, number: int, kind: str, data: bytes) -> bytes:
        # JSON in ASCII has no line end in it, which would end the event.
        return b"id: %d-%d\nevent: %s\ndata: %s\n\n" % (self._began, number, kind.encode(), data)
