"""A whole engine with its listener `http`, on loopback: the folder that the API's reference shows, and a key."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from routing_engine.engine import open_store
from routing_engine.service import Service

KEY = "k" * 32
EVENT = {"id": "e-1", "call": "c-1", "type": "call.started", "at": "2026-11-30T12:00:00Z", "direction": "inbound"}
_ENGINE = """\
region: AT
listeners: {fastagi: 127.0.0.1:0, http: 127.0.0.1:0}
api_keys:
  all: {key: '${API_KEY}', may: [calls.read, calls.write, dial, decide, sip, events], per_second: 1000}
"""


@dataclass
class Engine:
    """Where it listens, and the id of a call that it knows."""

    url: str
    call: str


@asynccontextmanager
async def engine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    """Run an engine; another telephone system has told it of one call."""
    monkeypatch.setenv("API_KEY", KEY)
    (folder / "routes").mkdir()
    (folder / "engine.yaml").write_text(_ENGINE)
    (folder / "users.yaml").write_text("anna: {name: Anna Gruber}\n")
    (folder / "routes" / "support.yaml").write_text("default: {to: {queue: sales}}\n")
    service = Service(open_store(folder))
    await service.start()
    try:
        url = f"http://{service.listening['http'][0]}"
        yield Engine(url, await _told(url))
    finally:
        await service.close()


async def _told(url: str) -> str:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(url, headers=headers) as session, session.get("/v1/stream") as stream:
        await session.post("/v1/events/cloud", json=EVENT)
        async for line in stream.content:
            # The snapshot before it has no call.
            if line.startswith(b"data: ") and "id" in (told := json.loads(line[6:])):
                return str(told["id"])
    raise AssertionError("the stream ended")
