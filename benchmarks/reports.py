"""`python -m benchmarks.reports [SECONDS]`: events of another telephone system at 50 a second, from request to 202.

A real engine in a process of its own, over loopback. Beside it forty readers listen to the stream: from the event that
was sent to the line that the last of them has.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

A_SECOND, READERS = 50, 40
PORT = 18473
KEY = "k" * 32
ENGINE = f"""\
listeners: {{fastagi: 127.0.0.1:14573, http: 127.0.0.1:{PORT}}}
api_keys:
  load: {{key: '${{API_KEY}}', may: [calls.read, events], per_second: 1000}}
"""


async def measure(seconds: int) -> None:
    """Run an engine, and print what it took."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "routes").mkdir()
        (folder / "engine.yaml").write_text(ENGINE, encoding="utf-8")
        (folder / "routes" / "support.yaml").write_text("default: {to: {queue: sales}}\n", encoding="utf-8")
        command = (sys.executable, "-m", "routing_engine.cli", "--config", name, "serve")
        log, words = asyncio.subprocess.DEVNULL, {**os.environ, "API_KEY": KEY}
        serving = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, env=words)
        try:
            await _load(seconds)
        finally:
            serving.terminate()
            await serving.wait()


async def _load(seconds: int) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{PORT}", headers=headers) as session:
        await _ready(session)
        sent: dict[str, float] = {}
        heard: dict[str, list[float]] = {}
        readers = [asyncio.create_task(_listen(session, heard)) for _ in range(READERS)]
        await asyncio.sleep(1)
        began, asking = time.perf_counter(), list[asyncio.Task[float]]()
        for number in range(seconds * A_SECOND):
            # By the clock, and not behind the answer before: a slow answer must not spare the engine the next request.
            await asyncio.sleep(began + number / A_SECOND - time.perf_counter())
            asking.append(asyncio.create_task(_tell(session, number, sent)))
        took = await asyncio.gather(*asking)
        await asyncio.sleep(2)
        for reader in readers:
            reader.cancel()
        _show("request to 202", took)
        last = [max(times) - sent[call] for call, times in heard.items() if len(times) == READERS and call in sent]
        _show(f"request to the last of {READERS} readers", last)


async def _ready(session: aiohttp.ClientSession) -> None:
    for _ in range(200):
        try:
            async with session.get("/v1/calls"):
                return
        except aiohttp.ClientError:
            await asyncio.sleep(0.1)
    raise RuntimeError("the engine does not start")


async def _tell(session: aiohttp.ClientSession, number: int, sent: dict[str, float]) -> float:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    event = {"id": f"e{number}", "call": f"c{number}", "type": "call.started", "at": at, "direction": "inbound"}
    began = sent[f"c{number}"] = time.perf_counter()
    async with session.post("/v1/events/load", json={**event, "from": "+436641234567"}) as answer:
        await answer.read()
        if answer.status != 202:
            raise RuntimeError(f"answered {answer.status}")
    return time.perf_counter() - began


async def _listen(session: aiohttp.ClientSession, heard: dict[str, list[float]]) -> None:
    async with session.get("/v1/stream", timeout=aiohttp.ClientTimeout(total=None)) as answer:
        async for line in answer.content:
            # Not read as JSON: forty readers in one process would measure themselves.
            _, found, rest = line.partition(b'"pbx_call_id": "')
            if found and not line.startswith(b'data: {"calls"'):
                heard.setdefault(rest[: rest.index(b'"')].decode(), []).append(time.perf_counter())


def _show(name: str, took: Sequence[float]) -> None:
    ordered = sorted(took)
    p50, p95, p99 = (1000 * ordered[round(share * (len(ordered) - 1))] for share in (0.5, 0.95, 0.99))
    print(f"{name}: {len(ordered)} of them, p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms")


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 30))
