"""What an edge does for its hub: recordings of the PBXs beside it, and what people tell those PBXs to do.

What a hub may want stands in `allowed`.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from routing_engine.calls.as_json import JsonObject, JsonValue
from routing_engine.calls.checked import read_json
from routing_engine.calls.ports import PbxCommands, SoundFile
from routing_engine.edges.allowed import check_action, check_originate, check_rest
from routing_engine.edges.line import Line
from routing_engine.edges.messages import (
    PIECE,
    PIECES,
    RECORDINGS,
    Answer,
    Ask,
    FaultKind,
    LineFault,
    More,
    Piece,
    Stop,
)
from routing_engine.errors import (
    AmiRefused,
    PbxDown,
    ProviderError,
    ProviderUnreachable,
    traceback_frames,
)
from routing_engine.logger import Logger
from routing_engine.pbx.recordings import Recordings

MOST_ASKS = 64
_MOST_FOUND = 100

_log = Logger()


@dataclass(frozen=True, slots=True)
class PbxServices:
    """What there is of one PBX; None where it has no recordings for us, or is told nothing."""

    recordings: Recordings | None = None
    commands: PbxCommands | None = None


class EdgeServices:
    """Answers what the hub asks over one line; `close` it with that."""

    def __init__(self, line: Line, service_of: Callable[[str], PbxServices]) -> None:
        self._line, self._service_of = line, service_of
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._wanted: dict[int, asyncio.Semaphore] = {}
        # Of what has no head a second look alone says that it is final: so it is looked at once for both questions.
        self._found: OrderedDict[tuple[str, str], SoundFile] = OrderedDict()

    def ask(self, ask: Ask) -> None:
        """Begin to do something."""
        if ask.id in self._tasks:
            raise LineFault("same_number", f"two questions have the number {ask.id}", "bring both engines up to date")
        if len(self._tasks) >= MOST_ASKS or (ask.what == "read" and len(self._wanted) >= RECORDINGS):
            self._line.say(Answer(ask.id, fault="unreachable", text="too much is asked at once"))
            return
        if ask.what == "read":
            self._wanted[ask.id] = asyncio.Semaphore(0)
        self._tasks[ask.id] = asyncio.create_task(self._answer(ask), name=f"{ask.what} for the hub")

    def more(self, more: More) -> None:
        """Send so many pieces more of a recording."""
        if (wanted := self._wanted.get(more.id)) is not None:
            for _ in range(min(more.pieces, PIECES)):
                wanted.release()

    def stop(self, stop: Stop) -> None:
        """Leave the rest of a recording."""
        self._line.hush(stop.id)
        self._wanted.pop(stop.id, None)  # its place is free at once
        if (task := self._tasks.get(stop.id)) is not None:
            task.cancel()

    async def close(self) -> None:
        """Leave everything: who asked hears that the line is gone."""
        tasks = [*self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------------------------------- inside

    async def _answer(self, ask: Ask) -> None:
        try:
            answer = await self._answer_to(ask)
        finally:
            self._tasks.pop(ask.id, None)
            self._wanted.pop(ask.id, None)
        self._line.say(answer)

    async def _answer_to(self, ask: Ask) -> Answer:
        try:
            return Answer(ask.id, json.dumps(await self._do(ask)))
        except (ProviderError, AmiRefused, PbxDown, ValueError) as error:
            return Answer(ask.id, fault=_fault_of(error), text=str(error)[:500])
        except Exception as error:  # a fault of ours; the line has other questions
            _log.error("hub.ask_failed", what=ask.what, error=type(error).__name__, traceback=traceback_frames(error))
            return Answer(ask.id, fault="unreachable", text="a fault of the edge; its log says which")

    async def _do(self, ask: Ask) -> JsonValue:
        body, service = read_json(ask.body), self._service_of(ask.pbx)
        if ask.what == "find":
            return await self._find(service, ask.pbx, _text(body, "name"))
        if ask.what == "read":
            return await self._read(service, ask, _text(body, "name"))
        if service.commands is None:
            raise PbxDown(f"the PBX '{ask.pbx[:80]}' is not followed here")
        if ask.what == "rest":
            return await _rest(service.commands, body)
        return await _command(service.commands, ask.what, body)

    async def _sound(self, service: PbxServices, pbx: str, name: str) -> SoundFile | None:
        sound = self._found.get((pbx, name))
        if sound is None and service.recordings is not None:
            sound = await service.recordings.find(name)
        if sound is not None:
            self._found[pbx, name] = sound
            if len(self._found) > _MOST_FOUND:
                self._found.popitem(last=False)
        return sound

    async def _find(self, service: PbxServices, pbx: str, name: str) -> JsonValue:
        sound = await self._sound(service, pbx, name)
        if sound is None:
            return None
        return {"name": sound.name, "seconds": sound.seconds, "size": sound.size, "media_type": sound.media_type}

    async def _read(self, service: PbxServices, ask: Ask, name: str) -> int:
        """Send a recording; return its size: the answer may overtake the last pieces."""
        sound = await self._sound(service, ask.pbx, name)
        if sound is None:
            raise ProviderUnreachable("the recording is gone")
        wanted, size = self._wanted.get(ask.id, asyncio.Semaphore(0)), 0
        async for piece in _in_pieces(sound.open()):
            await wanted.acquire()
            self._line.play(Piece(ask.id, piece))
            size += len(piece)
        return size


async def _in_pieces(sound: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for some in sound:
        for start in range(0, len(some), PIECE):
            yield some[start : start + PIECE]


async def _command(commands: PbxCommands, what: str, body: JsonObject) -> JsonValue:
    fields = {name: _field(name, value) for name, value in _object(body, "fields").items()}
    if what == "originate":
        check_originate(fields)
        return await commands.originate(_text(body, "channel"), fields)
    name = _text(body, "name")
    check_action(name, fields)
    return [dict(one) for one in await commands.action(name, fields)]


async def _rest(commands: PbxCommands, body: JsonObject) -> int:
    method, path = _text(body, "method"), _text(body, "path")
    check_rest(method, path)
    sent = body.get("body")
    return await commands.rest(method, path, _rest_body(sent) if sent is not None else None)


def _rest_body(value: JsonValue) -> dict[str, Sequence[dict[str, str]]]:
    """Return the fields of an object of Asterisk's: `{"fields": [{"attribute": ..., "value": ...}]}`."""
    rows = value.get("fields") if isinstance(value, dict) else None
    if not isinstance(rows, list):
        raise ValueError("'body' has no fields")
    return {"fields": [{key: str(one) for key, one in row.items()} for row in rows if isinstance(row, dict)]}


def _fault_of(error: Exception) -> FaultKind:
    if isinstance(error, PbxDown):
        return "down"
    return "unreachable" if isinstance(error, ProviderUnreachable) else "refused"


def _text(body: JsonObject, name: str) -> str:
    found = body.get(name)
    if not isinstance(found, str):
        raise ValueError(f"'{name}' is no text")
    return found


def _object(body: JsonObject, name: str) -> JsonObject:
    found = body.get(name, {})
    if not isinstance(found, dict):
        raise ValueError(f"'{name}' is no object")
    return found


def _field(name: str, value: JsonValue) -> str | list[str]:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return [str(one) for one in value]
    raise ValueError(f"'{name[:80]}' is no text")
