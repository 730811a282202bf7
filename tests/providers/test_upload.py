"""A body that holds a file: its length is known before, its pieces are small, its Base64 has no seam."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from routing_engine.errors import ProviderRefused
from routing_engine.providers.net.upload import FileBody, Open, spooled

pytestmark = pytest.mark.io

DATA = bytes(range(256)) * 1000


class Writer:
    """What a connection takes."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    async def write(self, chunk: bytes) -> None:
        self.taken.append(bytes(chunk))


def opens(*chunks: bytes) -> Open:
    async def read() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return read


async def sent(body: FileBody) -> list[bytes]:
    writer = Writer()
    await body.write(writer)  # type: ignore[arg-type]
    return writer.taken


@pytest.mark.parametrize("step", [1, 2, 3, 1000, 65_537])
async def test_the_marks_become_the_file_and_its_base64(step: int) -> None:
    data = DATA[: step * 3 + 1] if step < 4 else DATA
    file = opens(*(data[at : at + step] for at in range(0, len(data), step)))
    body = FileBody(b"<RAW>|<B64>|", b"<RAW>", b"<B64>", file, len(data))
    pieces = await sent(body)
    assert b"".join(pieces) == data + b"|" + base64.b64encode(data) + b"|"
    assert body.size == len(b"".join(pieces))
    assert max(map(len, pieces)) <= 90_000


async def test_it_can_be_sent_again() -> None:
    body = FileBody(b"<RAW>", b"<RAW>", b"<B64>", opens(DATA), len(DATA))
    assert await sent(body) == await sent(body)


@pytest.mark.parametrize("length", [len(DATA) - 1, len(DATA) + 1])
async def test_a_file_that_is_not_as_long_as_was_said_is_no_upload(length: int) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        await sent(FileBody(b"<RAW>", b"<RAW>", b"<B64>", opens(DATA), length))


async def test_a_file_of_unknown_length_lies_on_the_disk_without_a_name(tmp_path: Path) -> None:
    async with spooled(opens(DATA)(), tmp_path / "uploads") as (file, size):
        assert size == len(DATA)
        assert b"".join([piece async for piece in file()]) == DATA
        assert [*(tmp_path / "uploads").iterdir()] == []


async def test_what_is_no_recording_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ProviderRefused, match="larger than anything"):
        async with spooled(opens(DATA)(), tmp_path, most_bytes=1000):
            pass
