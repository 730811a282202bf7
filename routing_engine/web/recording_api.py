"""`GET /v1/calls/{id}/recording`: the sound of a call, or a part of it, as long as its PBX has it. Nothing is kept.

Players ask for parts (RFC 9110, section 14): without that they show 0:00 and cannot seek. ARI of Asterisk gives whole
files only, so what lies before a part is read there and thrown away.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from routing_engine.calls.call import Call
from routing_engine.calls.ports import SoundFile
from routing_engine.errors import ProviderError, ProviderRefused
from routing_engine.web.endpoints import Endpoint, Gives, Parameter
from routing_engine.web.requests import ApiAnswer, ApiError, ApiRequest, PlainAnswer, StreamAnswer
from routing_engine.web.rights import need_call

#: So many are passed on at once: each costs its PBX the whole file, whatever part is asked for.
MOST_AT_ONCE = 16
_SUMMARY = "Hear the recording of a call, or a part of it, as long as the PBX has it."
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z", re.ASCII)
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}\Z", re.ASCII)
_PARAMETERS = (
    Parameter("Range", "a part of it: `bytes=0-65535`", where="header"),
    Parameter("If-Range", "the `ETag` that the part belongs to", where="header"),
    Parameter("If-None-Match", "the `ETag` of what is there already", where="header"),
)
_GIVES = (
    Gives("the sound", media_type="audio/*"),
    Gives("a part of the sound", status=206, media_type="audio/*"),
    Gives("what is there already is the same", status=304, media_type=""),
)


class RecordedCalls(Protocol):
    """The book of calls, as far as recordings need it."""

    async def call(self, call_id: str) -> Call | None:
        """Return a call, or the one that it has become a part of."""


class Sounds(Protocol):
    """Where recordings are."""

    async def sound_of(self, call: Call) -> SoundFile | None:
        """Return a call's recording once it is final. Raises `ProviderUnreachable` and `ProviderRefused`."""


@dataclass(frozen=True, slots=True)
class Part:
    """So many bytes of a sound, from the one at `start` on."""

    start: int
    count: int


class RecordingApi:
    """`/v1/calls/{id}/recording`."""

    def __init__(self, calls: RecordedCalls, sounds: Sounds) -> None:
        self._calls, self._sounds = calls, sounds
        self._open = 0

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
        path = "/v1/calls/{id}/recording"
        return (Endpoint("GET", path, "calls.read", self._hear, _SUMMARY, _PARAMETERS, None, _GIVES, (404, 416, 502)),)

    async def _hear(self, request: ApiRequest) -> ApiAnswer | PlainAnswer | StreamAnswer:
        call = need_call(request.actor, await self._calls.call(request.path["id"]), request.path["id"])
        if self._open >= MOST_AT_ONCE:
            sentence = f"{MOST_AT_ONCE} recordings are listened to at once"
            raise ApiError(429, "too_many_at_once", sentence, "try again", {"Retry-After": "5"})
        self._open += 1
        try:
            sound = await self._sound_of(call)
        finally:
            self._open -= 1
        if sound is None:
            raise ApiError(404, "no_recording", "the call has no recording now", "try again once the call is over")
        return self._answer(request, call, sound)

    async def _sound_of(self, call: Call) -> SoundFile | None:
        try:
            return await self._sounds.sound_of(call)
        except ProviderRefused:
            # What the PBX said is for its administrator: the log of recordings has it.
            remedy = "the administrator: pbx check names what is wrong"
            raise ApiError(502, "recording_refused", "the PBX does not hand out the recording", remedy) from None
        except ProviderError:
            remedy = "try again in some seconds"
            raise ApiError(503, "pbx_down", "the PBX does not answer", remedy, {"Retry-After": "5"}) from None

    def _answer(self, request: ApiRequest, call: Call, sound: SoundFile) -> ApiAnswer | StreamAnswer:
        # A recording that is final does not change: its length is enough to know it by.
        tag = f'"{call.id}-{sound.size}"'
        headers = {"ETag": tag, "Content-Disposition": f'inline; filename="{call.id}{_ending(sound.name)}"'}
        if sound.size is None:
            return StreamAnswer(self._pieces(sound, None), sound.media_type, 200, headers)
        headers |= {"Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
        if request.headers.get("If-None-Match", "").strip() == tag:
            return ApiAnswer({}, 304, headers)
        wanted = request.headers.get("Range", "") if request.headers.get("If-Range", tag).strip() == tag else ""
        part = part_of(wanted, sound.size)
        if part is None:
            return StreamAnswer(self._pieces(sound, None), sound.media_type, 200, headers, sound.size)
        last = part.start + part.count - 1
        headers["Content-Range"] = f"bytes {part.start}-{last}/{sound.size}"
        return StreamAnswer(self._pieces(sound, part), sound.media_type, 206, headers, part.count)

    async def _pieces(self, sound: SoundFile, part: Part | None) -> AsyncGenerator[bytes, None]:
        self._open += 1
        try:
            async with aclosing(_cut(sound, part)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            self._open -= 1


def part_of(header: str, size: int) -> Part | None:
    """Return the part that a header `Range` asks for, None for the whole. Raises `ApiError` where there is none such.

    Several parts at once, and units of others, are answered with the whole: RFC 9110 lets us.
    """
    found = _RANGE.match(header.strip().lower().replace(" ", ""))
    if found is None or found[1] == found[2] == "":
        return None
    if found[1]:
        start, last = int(found[1]), min(int(found[2] or size), size - 1)
        if found[2] and int(found[2]) < start:
            return None
    else:  # so many of the end
        start, last = max(0, size - int(found[2])), size - 1
    if start > last:
        headers = {"Content-Range": f"bytes */{size}"}
        raise ApiError(416, "no_such_part", f"the recording has {size} bytes", "ask for a part of those", headers)
    return Part(start, last - start + 1)


async def _cut(sound: SoundFile, part: Part | None) -> AsyncGenerator[bytes, None]:
    """Yield a part of a sound; what lies before it is read and thrown away, what lies behind it is not read."""
    skip, left = (part.start, part.count) if part is not None else (0, sound.size)
    pieces = sound.open()
    try:
        async for piece in pieces:
            if skip >= len(piece):
                skip -= len(piece)
                continue
            wanted, skip = piece[skip:], 0
            yield wanted if left is None else wanted[:left]
            left = None if left is None else left - min(left, len(wanted))
            if left == 0:
                return
    finally:
        # Half of a file stays on its line otherwise until somebody collects it.
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()


def _ending(name: str) -> str:
    # The PBX's name of the file says who called whom; its ending says how it is written.
    found = _ENDING.search(PurePosixPath(name).name)
    return found[0] if found else ""
