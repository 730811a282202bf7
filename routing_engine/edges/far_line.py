"""The hub's end of the line to one edge: its changes are taken, and it is asked for recordings and commands."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from itertools import count

from routing_engine.calls.as_json import JsonValue
from routing_engine.calls.ports import SoundFile
from routing_engine.edges.line import Line, together
from routing_engine.edges.messages import (
    PIECES,
    RECORDINGS,
    UNDER_WAY,
    Answer,
    Ask,
    AskKind,
    Changes,
    Health,
    Hello,
    LineFault,
    Message,
    More,
    NotTaken,
    Phones,
    Piece,
    Stop,
    Taken,
)
from routing_engine.edges.taking import EdgeRights, EdgeTaker
from routing_engine.errors import AmiRefused, PbxDown, ProviderRefused, ProviderUnreachable, StorageError
from routing_engine.logger import Logger

#: How often a database that is down is looked at again.
_AGAIN_S = 1.0
#: How long an edge has for an answer, and for the next piece of a recording.
ANSWER_S, PIECE_S = 15.0, 30.0
_MOST_ASKS = 48
#: Clocks that differ by more are worth a line in the log.
_CLOCK_S = 5.0
_TOLD_S = 60.0

_log = Logger()


@dataclass(slots=True)
class _Sound:
    """A recording on its way. The answer says how large it was, and may overtake the last pieces."""

    came: asyncio.Queue[bytes | Answer] = field(default_factory=asyncio.Queue)
    wanted: int = PIECES
    answered: bool = False
    over: bool = False


class FarLine:
    """The line to an edge; `talk` until it ends. `reached` hears of PBXs that the edge hears (again).

    `now` is the wall clock, `monotonic` the other one.
    """

    def __init__(
        self,
        edge: str,
        hello: Hello,
        line: Line,
        rights: EdgeRights,
        taker: EdgeTaker,
        reached: Callable[[str], None],
        now: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.edge, self.hello, self._line, self.rights = edge, hello, line, rights
        self._taker, self._reached, self._now, self._monotonic = taker, reached, now, monotonic
        self.health = Health(hello.at, 0)
        #: What the edge's clock is ahead of ours.
        self.ahead_s = 0.0
        self._changes: asyncio.Queue[Changes] = asyncio.Queue(UNDER_WAY)
        self._numbers = count(1)
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._sounds: dict[int, _Sound] = {}
        self._places = asyncio.Semaphore(RECORDINGS)
        self._ending: asyncio.Future[LineFault] = asyncio.get_running_loop().create_future()
        self._told_at = float("-inf")
        self._clock_told = False

    async def talk(self) -> None:
        """Take what the edge says, until the line ends. Raises `LineFault`, and `OSError` for one that broke."""
        self._measure(self.hello.at)
        try:
            await together(self._line.write(), self._hear(), self._take(), self._wait_for_end())
        finally:
            self._lose()

    def end(self, why: LineFault) -> None:
        """Have the line ended, from outside."""
        if not self._ending.done():
            self._ending.set_result(why)

    def change(self, rights: EdgeRights) -> None:
        """Take what a reload brings: whose the phones are."""
        if rights.phones != self.rights.phones:
            self._line.say(Phones(rights.phones))
        self.rights = rights

    # ------------------------------------------------------------------------------------- what it is asked

    async def ask(self, what: AskKind, pbx: str, body: Mapping[str, JsonValue]) -> JsonValue:
        """Return what the edge answers. Raises `ProviderUnreachable`, `ProviderRefused`, `AmiRefused`, `PbxDown`."""
        if len(self._asked) >= _MOST_ASKS:
            raise _fault(what, "unreachable", f"the edge '{self.edge}' has much to do")
        number = next(self._numbers)
        answered = self._asked[number] = asyncio.get_running_loop().create_future()
        self._line.say(Ask(number, what, pbx, json.dumps(body)))
        try:
            async with asyncio.timeout(ANSWER_S):
                return _body(what, await answered)
        except TimeoutError:
            self._line.say(Stop(number))
            raise _fault(what, "unreachable", f"the edge '{self.edge}' does not answer") from None
        finally:
            del self._asked[number]

    async def find(self, pbx: str, name: str) -> SoundFile | None:
        """Return a recording that is final, to be read over this line."""
        found = await self.ask("find", pbx, {"name": name})
        if not isinstance(found, dict):
            return None
        called, kind = found.get("name"), found.get("media_type")
        seconds, size = found.get("seconds"), found.get("size")
        if not (isinstance(called, str) and isinstance(kind, str) and isinstance(seconds, int | float)):
            raise ProviderUnreachable(f"the edge '{self.edge}' says nothing sensible of a recording")
        known = size if isinstance(size, int) and size >= 0 else None
        return SoundFile(called[:200], float(seconds), lambda: self._read(pbx, name), known, kind[:100])

    async def _read(self, pbx: str, name: str) -> AsyncGenerator[bytes, None]:
        # Some at a time: events have the line to themselves in between, and nobody's memory holds a recording.
        async with self._places:
            number, sound = next(self._numbers), _Sound()
            self._sounds[number] = sound
            self._line.say(Ask(number, "read", pbx, json.dumps({"name": name})))
            self._line.say(More(number, PIECES))
            try:
                async for piece in self._pieces(number, sound):
                    yield piece
            finally:
                del self._sounds[number]
                if not sound.over:
                    self._line.say(Stop(number))

    async def _pieces(self, number: int, sound: _Sound) -> AsyncGenerator[bytes, None]:
        """Yield the pieces of a recording; ask for the next when one was taken."""
        got, size = 0, None
        while size is None or got < size:
            try:
                async with asyncio.timeout(PIECE_S):
                    came = await sound.came.get()
            except TimeoutError:
                raise ProviderUnreachable(f"the edge '{self.edge}' sends no more of a recording") from None
            if isinstance(came, Answer):
                size = _size(came)
                continue
            got += len(came)
            yield came
            sound.wanted += 1
            self._line.say(More(number, 1))
        sound.over = True

    # ------------------------------------------------------------------------------------- what it says

    async def _hear(self) -> None:
        async with aclosing(self._line.heard()) as heard:
            async for message in heard:
                self._take_word(message)

    def _take_word(self, message: Message | Piece) -> None:
        match message:
            case Piece():
                self._take_piece(message)
            case Answer():
                self._take_answer(message)
            case Health():
                self._take_health(message)
            case Changes():
                if self._changes.full() or not message.changes:
                    raise LineFault("too_fast", "more comes than was agreed", "bring both engines up to date")
                self._changes.put_nowait(message)
            case _:
                raise LineFault("no_edge", "the other side does not talk as an edge does", "look at its version")

    def _take_piece(self, piece: Piece) -> None:
        sound = self._sounds.get(piece.id)
        if sound is None:
            return  # nobody wants the rest of it any more
        sound.wanted -= 1
        if sound.wanted < 0:
            raise LineFault("too_fast", "more of a recording comes than was asked for", "look at the edge's version")
        sound.came.put_nowait(piece.sound)

    def _take_answer(self, answer: Answer) -> None:
        sound = self._sounds.get(answer.id)
        if sound is not None and not sound.answered:
            sound.answered = True
            sound.came.put_nowait(answer)
        awaited = self._asked.get(answer.id)
        if awaited is not None and not awaited.done():
            awaited.set_result(answer)

    def _take_health(self, health: Health) -> None:
        known, self.health = self.health.up, health
        self._measure(health.at)
        for pbx in self.rights.pbxs.intersection(health.up).difference(known):
            _log.info("edge.pbx_up", edge=self.edge, pbx=pbx)
            self._reached(pbx)
        for pbx in self.rights.pbxs.intersection(known).difference(health.up):
            _log.warning("edge.pbx_down", edge=self.edge, pbx=pbx)

    def _measure(self, at: float) -> None:
        self.ahead_s = at - self._now()
        far = abs(self.ahead_s) > _CLOCK_S
        if far and not self._clock_told:
            _log.warning("edge.clock", edge=self.edge, ahead_s=round(self.ahead_s, 1))
        self._clock_told = far

    # ------------------------------------------------------------------------------------- what is taken

    async def _take(self) -> None:
        while True:
            message = await self._changes.get()
            but = await self._take_all(message)
            self._line.say(Taken(message.changes[-1].number, tuple(but)))
            self._tell_of(but)

    async def _take_all(self, message: Changes) -> Sequence[NotTaken]:
        """Take changes until they are on the disk: then only the edge may let go of them."""
        while True:
            with suppress(StorageError):  # the database tells of it itself
                but, saved = await self._taker.take(message.changes, self.rights)
                if saved:
                    return but
            await asyncio.sleep(_AGAIN_S)

    def _tell_of(self, but: Sequence[NotTaken]) -> None:
        # An edge that goes wrong must not fill our log.
        if but and self._monotonic() - self._told_at >= _TOLD_S:
            self._told_at = self._monotonic()
            _log.error("edge.not_taken", edge=self.edge, count=len(but), why=but[0].why)

    async def _wait_for_end(self) -> None:
        raise await asyncio.shield(self._ending)

    def _lose(self) -> None:
        gone = "the line to the edge broke"
        for number in [*self._asked, *self._sounds]:
            self._take_answer(Answer(number, fault="unreachable", text=gone))


def _body(what: AskKind, answer: Answer) -> JsonValue:
    if answer.fault is not None:
        raise _fault(what, answer.fault, answer.text[:500])
    try:
        found: JsonValue = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise _fault(what, "unreachable", "the edge's answer is not JSON") from None
    return found


def _size(answer: Answer) -> int:
    found = _body("read", answer)
    if not isinstance(found, int):
        raise ProviderUnreachable("the edge does not say how large a recording is")
    return found


def _fault(what: AskKind, fault: str, text: str) -> Exception:
    """Return the error that whoever asked would have got from a PBX of his own."""
    if what in ("find", "read"):
        return ProviderRefused(text, theirs=True) if fault == "refused" else ProviderUnreachable(text)
    return AmiRefused(text) if fault == "refused" else PbxDown(text)
