"""What the running service tells of its calls: metrics, the journal, and that a crash loses none of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from fakes import FOREVER_S, Asterisk
from structlog.testing import capture_logs
from test_service import middleware, serving, write

pytestmark = pytest.mark.io

OBSERVED = "{fastagi: '127.0.0.1:0', metrics: '127.0.0.1:0'}"


def observed(folder: Path, address: str, more: str = "") -> Path:
    write(folder, address)
    (folder / "engine.yaml").write_text(f"region: AT\nlisteners: {OBSERVED}\n{more}")
    return folder


async def scrape(address: str, path: str = "metrics") -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}/{path}") as answer:
        return answer.status, await answer.text()


async def test_a_call_is_counted_with_its_look_up_and_its_wait(tmp_path: Path) -> None:
    async with middleware() as (_, address), serving(observed(tmp_path, address)) as (service, port):
        await Asterisk().call(port)
        (metrics,) = service.listening["metrics"]
        _, text = await scrape(metrics)
        assert await scrape(metrics, "ready") == (200, "ready\n")
    assert 'routing_engine_calls_total{reason="matched",route="support"} 1.0' in text
    assert 'routing_engine_caller_waited_seconds_count{route="support"} 1.0' in text
    assert 'integration="erp",origin="live",outcome="found"' in text


async def test_a_program_reads_calls_with_its_key_until_a_reload_takes_it_away(tmp_path: Path) -> None:
    key, address = "k" * 20, "http://127.0.0.1:1"
    (tmp_path / "environment").write_text(f"WEBSITE={key}\n")
    (tmp_path / "environment").chmod(0o600)
    keys = "api_keys: {website: {key: '${WEBSITE}', may: [calls.read]}}\n"
    listeners = "listeners: {fastagi: '127.0.0.1:0', http: '127.0.0.1:0'}\n"
    write(tmp_path, address)
    (tmp_path / "engine.yaml").write_text(f"{listeners}{keys}")

    async def ask(address: str) -> tuple[int, dict[str, object]]:
        headers = {"Authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession(headers=headers) as session, session.get(f"http://{address}/v1/calls") as got:
            return got.status, await got.json()

    with capture_logs() as logs:
        await told_by_key(tmp_path, listeners, ask)
    assert [log for log in logs if log["event"] == "calls.failed"] == []


async def told_by_key(folder: Path, listeners: str, ask: Callable[[str], Awaitable[tuple[int, object]]]) -> None:
    async with serving(folder) as (service, _):
        (api,) = service.listening["http"]
        assert await ask(api) == (200, {"calls": [], "next": None})
        (folder / "engine.yaml").write_text(listeners)
        assert await service.reload()
        assert (await ask(api))[0] == 401


async def test_an_answer_that_was_kept_is_counted_as_such(tmp_path: Path) -> None:
    async with middleware() as (crm, address):
        folder = observed(tmp_path, address)
        route = folder / "routes" / "support.yaml"
        route.write_text(route.read_text().replace("search:", "cache: {ttl_s: 60}\n    search:"))
        async with serving(folder) as (service, port):
            for _ in range(2):
                await Asterisk().call(port)
            _, text = await scrape(service.listening["metrics"][0])
    assert len(crm.numbers) == 1
    assert 'integration="erp",origin="cache",outcome="found"' in text
    assert "routing_engine_cache_entries 1.0" in text


async def test_while_it_drains_it_is_not_ready(tmp_path: Path) -> None:
    async with middleware() as (crm, address), serving(observed(tmp_path, address)) as (service, port):
        crm.go.clear()
        task = asyncio.create_task(Asterisk().call(port))
        await crm.asked.wait()
        service.stop()
        assert (await scrape(service.listening["metrics"][0], "ready"))[0] == 503
        crm.go.set()
        await task


async def test_a_call_is_in_the_journal_once_the_service_has_stopped(tmp_path: Path) -> None:
    async with middleware() as (_, address), serving(observed(tmp_path, address)) as (_, port):
        await Asterisk().call(port)
    (kept,) = await asyncio.to_thread(calls_of, tmp_path)
    assert (kept["route"], kept["reason"], kept["rule"]) == ("support", "matched", "any")


async def test_a_crash_loses_no_call_that_stood_in_the_journal(tmp_path: Path) -> None:
    async with middleware() as (_, address):
        observed(tmp_path, address)
        engine = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "routing_engine.cli", "serve", "--config", str(tmp_path)),
            stderr=asyncio.subprocess.PIPE,
        )
        assert engine.stderr is not None
        port = int((await ready(engine.stderr))["fastagi"][0].rpartition(":")[2])
        for number in range(20):
            await Asterisk().call(port, uniqueid=f"17.{number}")
        async with asyncio.timeout(FOREVER_S):
            while len(await asyncio.to_thread(calls_of, tmp_path)) < 20:
                pass  # a file tells nobody, and a look at it takes a second
        os.kill(engine.pid, signal.SIGKILL)
        await engine.wait()
    kept = await asyncio.to_thread(calls_of, tmp_path)
    assert {one["call_id"] for one in kept} == {f"17.{number}" for number in range(20)}


async def ready(lines: asyncio.StreamReader) -> dict[str, list[str]]:
    async with asyncio.timeout(FOREVER_S):
        while line := await lines.readline():
            event = json.loads(line)
            if event["event"] == "service.ready":
                return event  # type: ignore[no-any-return]
    raise AssertionError("the service did not start")


def calls_of(folder: Path) -> list[dict[str, str]]:
    """What `routing-engine calls` says; nothing, where there is no journal yet."""
    told = subprocess.run(
        [sys.executable, "-m", "routing_engine.cli", "calls", "--json", "--config", str(folder)],
        capture_output=True,
        check=False,
        text=True,
    )
    return [json.loads(line) for line in told.stdout.splitlines()]
