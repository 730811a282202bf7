"""Recordings of a PBX: found by the name that its events give, taken once they are final, and passed on in pieces.

Over ARI (`GET /ari/recordings/stored/NAME/file`), which hands out what lies below `recording` of Asterisk's spool, or
from a folder of this machine. Nothing is kept here. Source: the notes on recordings of Asterisk 22, measured.
"""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol
from urllib.parse import quote

import aiohttp
from yarl import URL

from routing_engine.calls.ports import SoundFile
from routing_engine.errors import ProviderRefused, ProviderUnreachable
from routing_engine.settings.pbx import AriKeys, PbxKeys, RecordingsFolder

#: How much is read at once; nothing larger is ever in memory.
PIECE = 64 * 1024
_CONNECT_S, _PIECE_S = 5.0, 30.0
_HEAD = 44
_MOST_SEEN = 1000
#: Where Asterisk and FreePBX put recordings, within the spool; ARI's names begin behind `recording/`.
_STORED, _MONITOR = "/recording/", "/monitor/"
_TYPES = {".wav": "audio/wav", ".wav49": "audio/wav", ".gsm": "audio/gsm", ".mp3": "audio/mpeg", ".ulaw": "audio/basic"}
_ENDINGS = ("", ".wav", ".WAV", ".wav49", ".gsm", ".mp3", ".ulaw")
# FreePBX gives its channels the name alone, and keeps the file by the day that stands in it.
_FREEPBX = re.compile(r"-((?:19|20)[0-9]{2})([01][0-9])([0-3][0-9])-[0-9]{6}-", re.ASCII)


class Recordings(Protocol):
    """Where the recordings of one PBX are."""

    async def find(self, name: str) -> SoundFile | None:
        """Return a recording that is final; None while it is not, or is not there.

        Raises `ProviderUnreachable` where nobody answers, `ProviderRefused` where an administrator must act.
        """

    async def close(self) -> None:
        """Let go of what is open."""


def recordings_of(keys: PbxKeys) -> Recordings | None:
    """Return where a PBX's recordings are; None where it has none for us."""
    if isinstance(keys.recordings, RecordingsFolder):
        return FolderRecordings(Path(keys.recordings.folder))
    return AriRecordings(keys.ari) if keys.recordings == "ari" and keys.ari is not None else None


# --------------------------------------------------------------------------------------- names, and what is final


def places(name: str) -> tuple[str, ...]:
    """Return where a recording may lie, the likeliest first: paths below the folder of recordings.

    `name` is what events say: a path of Asterisk's, `.../recording/2026/x.wav`, or FreePBX's name without an ending.
    A name that leads out of the folder, or is none, gives nothing.
    """
    if not name.isprintable() or len(name) > 1000:
        return ()
    plain = os.path.normpath(name).replace("//", "/")
    found: list[str] = []
    if _STORED in plain:
        found.append(plain.rpartition(_STORED)[2])
    elif _MONITOR in plain:
        # FreePBX, with `monitor` moved below `recording` and a link in its place.
        below = plain.rpartition(_MONITOR)[2]
        found += [f"monitor/{below}", below]
    elif dated := _FREEPBX.search(plain):
        day = "/".join(dated.groups())
        found += [f"monitor/{day}/{PurePosixPath(plain).name}", f"{day}/{PurePosixPath(plain).name}"]
    found.append(PurePosixPath(plain).name)
    # normpath has folded every `..` but those that lead out.
    return tuple(dict.fromkeys(one for one in found if one and not one.startswith((".", "/"))))


@dataclass(frozen=True, slots=True)
class WavHead:
    """The first bytes of a .wav file: how much sound it says there is, and how long that lasts."""

    sound: int
    seconds: float


def wav_head(head: bytes) -> WavHead | None:
    """Return what the head of a .wav file of Asterisk's says; None for anything else."""
    if len(head) < _HEAD or head[:4] != b"RIFF" or head[8:12] != b"WAVE" or head[36:40] != b"data":
        return None
    a_second, sound = int.from_bytes(head[28:32], "little"), int.from_bytes(head[40:44], "little")
    return WavHead(sound, sound / a_second if a_second else 0.0)


class _Sizes:
    """Says whether a file has grown since it was last asked for: of what has no head nothing else can be known."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, int] = OrderedDict()

    def is_final(self, name: str, size: int, head: bytes) -> WavHead | None:
        """Return the head of a file that is final, one of 0 s where it has none; None while it is not."""
        wav = wav_head(head)
        if wav is not None:
            # The length is written when the file is closed: until then it says less than there is.
            return wav if wav.sound == size - _HEAD else None
        before = self._seen.pop(name, -1)
        if before == size:
            return WavHead(size, 0.0)
        self._seen[name] = size
        if len(self._seen) > _MOST_SEEN:
            self._seen.popitem(last=False)
        return None


# ------------------------------------------------------------------------------------------------------- a folder


class FolderRecordings:
    """Recordings in a folder of this machine; nothing outside of it is read, whatever names and links say."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sizes = _Sizes()

    async def find(self, name: str) -> SoundFile | None:
        """Return a recording that is final."""
        return await asyncio.to_thread(self._find, name)

    async def close(self) -> None:
        """Nothing is open."""

    def _find(self, name: str) -> SoundFile | None:
        for path in self._paths(name):
            try:
                with _opened(path) as file:
                    size, head = os.fstat(file.fileno()).st_size, file.read(_HEAD)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise ProviderRefused(f"a recording cannot be read: {error.strerror}", theirs=True) from None
            wav = self._sizes.is_final(str(path), size, head)
            if wav is None:
                return None
            return SoundFile(path.name, wav.seconds, partial(_read, path), size, media_type(path.name))
        return None

    def _paths(self, name: str) -> Iterator[Path]:
        top = Path(os.path.realpath(self._folder))
        for place in places(name):
            for ending in _ENDINGS:
                # With every link followed: what it leads to must lie below the folder, too.
                path = Path(os.path.realpath(top / f"{place}{ending}"))
                if top in path.parents:
                    yield path


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    # Not through a link that somebody has put there since, and no pipe, which would wait for ever.
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise FileNotFoundError(path)
        yield file


async def _read(path: Path) -> AsyncIterator[bytes]:
    with _opened(path) as file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece


def media_type(name: str) -> str:
    """Return the media type of a sound by the ending of its name."""
    return _TYPES.get(PurePosixPath(name).suffix.lower(), "application/octet-stream")


# ---------------------------------------------------------------------------------------------------------- ARI


class AriRecordings:
    """Recordings over Asterisk's REST interface; a user with `read_only = yes` is enough."""

    def __init__(self, keys: AriKeys) -> None:
        self._keys = keys
        self._sizes = _Sizes()
        self._session: aiohttp.ClientSession | None = None

    async def find(self, name: str) -> SoundFile | None:
        """Return a recording that is final. ARI hands out those that are still written, too."""
        for place in places(name):
            # ARI names a recording without its ending, which says the format.
            stem, ending = os.path.splitext(place)
            stored = stem if ending.lower() in _TYPES else place
            async with self._asked(stored) as answer:
                if answer is not None:
                    return await self._sound(stored, ending or ".wav", answer)
        return None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _sound(self, stored: str, ending: str, answer: aiohttp.ClientResponse) -> SoundFile | None:
        head = await _first(answer, _HEAD)
        size = answer.content_length
        wav = None if size is None else self._sizes.is_final(stored, size, head)
        if wav is None:
            return None
        name = f"{PurePosixPath(stored).name}{ending}"
        return SoundFile(name, wav.seconds, lambda: self._pieces(stored), size, media_type(name))

    async def _pieces(self, stored: str) -> AsyncIterator[bytes]:
        async with self._asked(stored) as answer:
            if answer is None:
                raise ProviderUnreachable("the recording is gone")
            async for piece in answer.content.iter_chunked(PIECE):
                yield piece

    @asynccontextmanager
    async def _asked(self, stored: str) -> AsyncIterator[aiohttp.ClientResponse | None]:
        # Encoded whole, because a slash in the name is 404 to Asterisk.
        url = URL(f"{self._keys.address}/ari/recordings/stored/{quote(stored, safe='')}/file", encoded=True)
        try:
            async with self._open().get(url, allow_redirects=False) as answer:
                if answer.status in (401, 403):
                    raise ProviderRefused(f"ARI answered {answer.status}: look at the user in ari.conf", theirs=True)
                if answer.status not in (200, 404):
                    raise ProviderUnreachable(f"ARI answered {answer.status}")
                yield answer if answer.status == 200 else None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ProviderUnreachable(f"ARI does not answer: {type(error).__name__}") from error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            # No limit for the whole: an hour of sound takes as long as the one who takes it.
            times = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_PIECE_S)
            who = {"Authorization": aiohttp.encode_basic_auth(self._keys.user, self._keys.secret, "utf-8")}
            self._session = aiohttp.ClientSession(headers=who, timeout=times, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


async def _first(answer: aiohttp.ClientResponse, count: int) -> bytes:
    try:
        return await answer.content.readexactly(count)
    except asyncio.IncompleteReadError as error:
        return error.partial
