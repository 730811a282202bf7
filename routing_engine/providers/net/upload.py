"""A body that holds a file of any size: it is read while it is sent, in pieces, and never in memory as a whole.

A body is built as bytes with marks where the file goes; here the marks become its bytes, or their Base64.
"""

from __future__ import annotations

import asyncio
import base64
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from routing_engine.errors import ProviderRefused

PIECE_BYTES = 65_536
#: A recording of a day and a half in telephone quality; what is longer is no recording.
MOST_BYTES = 2 << 30

Open = Callable[[], AsyncIterator[bytes]]


class FileBody(aiohttp.Payload):
    """`body` with the file in place of the marks `raw` and `encoded`. It can be sent again: `open` begins anew."""

    _default_content_type = "application/octet-stream"
    _autoclose = True

    def __init__(self, body: bytes, raw: bytes, encoded: bytes, open_file: Open, size: int) -> None:
        super().__init__(body)
        self._parts = [*_split(body, raw, encoded)]
        self._open, self._file_size = open_file, size
        # Known before the first byte: many servers take no body without its length.
        sizes = {True: -(-size // 3) * 4, False: size}
        self._size = sum(len(part) if isinstance(part, bytes) else sizes[part] for part in self._parts)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Refused: the file is not here."""
        raise TypeError("a file that is streamed has no text")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send everything, the file in pieces."""
        for part in self._parts:
            if isinstance(part, bytes):
                await writer.write(part)
                continue
            async for piece in _encoded(self._whole()) if part else self._whole():
                await writer.write(piece)

    async def _whole(self) -> AsyncIterator[bytes]:
        sent = 0
        async for piece in pieces(self._open()):
            sent += len(piece)
            if sent <= self._file_size:
                yield piece
        # The length was told before: another one would leave the server waiting, or cut the file.
        if sent != self._file_size:
            raise aiohttp.ClientPayloadError("the file is not as long as it was said to be")


def _split(body: bytes, raw: bytes, encoded: bytes) -> Iterator[bytes | bool]:
    """Yield the parts of a body; True is the file as Base64, False the file."""
    for number, outer in enumerate(body.split(raw)):
        if number:
            yield False
        for count, inner in enumerate(outer.split(encoded)):
            if count:
                yield True
            yield inner


async def pieces(source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what a source gives in pieces of 64 KiB at most."""
    async for chunk in source:
        for start in range(0, len(chunk), PIECE_BYTES):
            yield chunk[start : start + PIECE_BYTES]


async def _encoded(source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in source:
        rest += chunk
        whole = len(rest) // 3 * 3
        # Three bytes are four signs: a piece that ends elsewhere would be padded in the middle.
        yield base64.b64encode(rest[:whole])
        rest = rest[whole:]
    yield base64.b64encode(rest)


@asynccontextmanager
async def spooled(
    source: AsyncIterator[bytes], folder: Path | None, most_bytes: int = MOST_BYTES
) -> AsyncIterator[tuple[Open, int]]:
    """Keep a file of unknown length on the disk for as long as it is sent: servers want its length before it.

    It lies in `folder`, without a name, so that nothing stays behind whatever happens. Raises `ProviderRefused` for
    more than `most_bytes`.
    """
    if folder is not None:
        await asyncio.to_thread(folder.mkdir, 0o700, True, True)
    # Without a name: a process that is killed leaves no recording of anybody behind.
    with tempfile.TemporaryFile(dir=folder) as file:
        size = 0
        async for piece in pieces(source):
            size += await asyncio.to_thread(file.write, piece)
            if size > most_bytes:
                raise ProviderRefused("the recording is larger than anything that is sent")
        yield lambda: _read(file), size


async def _read(file: BinaryIO) -> AsyncIterator[bytes]:
    await asyncio.to_thread(file.seek, 0)
    while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
        yield piece
