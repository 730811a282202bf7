"""`POST /v1/decide` and `run-test --json` say the same of the same call, whatever is asked."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from routing_engine.asked_decisions import MOST_AT_ONCE, MOST_WAITING, AskedDecisions
from routing_engine.cli import main
from routing_engine.engine import open_store
from routing_engine.settings.api import Program
from routing_engine.settings.people import People
from routing_engine.web.access import Access
from routing_engine.web.api import ApiListener
from routing_engine.web.decide import AskedCall, DecideApi
from routing_engine.web.requests import ApiError

pytestmark = pytest.mark.io

KEY = "d" * 20
CALLS: list[tuple[dict[str, Any], list[str]]] = [
    ({"caller": "+436641234567", "inputs": ["123456"]}, ["--caller", "+436641234567", "--input", "123456"]),
    ({"inputs": ["", "999", "234567"]}, ["--input", "", "999", "234567"]),
    ({"caller": "0676 5554321", "inputs": ["111111", "1", "2"]}, "--caller 06765554321 --input 111111 1 2".split()),
    ({"called": "+4312345601", "variables": {"X": "1"}}, ["--called", "+4312345601", "--variable", "X=1"]),
]


@dataclass
class Asking:
    url: str
    folder: Path
    decisions: AskedDecisions

    async def decide(self, body: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {KEY}"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.url}/v1/decide", json=body, headers=headers) as answer,
        ):
            return answer.status, await answer.json()


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Asking]:
    folder = tmp_path / "config"
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(["init", str(folder)]) == 0
    configuration = await asyncio.to_thread(open_store(folder).load)
    decisions = AskedDecisions(lambda: configuration)
    access = Access([Program("asks", KEY, frozenset({"decide"}))], People(), lambda: 0.0)
    api = ApiListener((DecideApi(decisions),), access)
    await api.listen("127.0.0.1", 0)
    yield Asking(f"http://{api.addresses[0]}", folder, decisions)
    await api.stop()
    await decisions.close()


def timeless(text: str) -> Any:
    """A decision without what differs from one moment to the next: how long its steps took, and what was waited."""
    told = json.loads(re.sub(r'"took_ms": [0-9.]+', '"took_ms": 0', text))
    told["trail"] = [step for step in told["trail"] if step["step"] != "caller"]
    return told


@pytest.mark.parametrize(("body", "arguments"), CALLS)
async def test_both_say_the_same(engine: Asking, body: dict[str, Any], arguments: list[str]) -> None:
    status, told = await engine.decide({"route": "support", "at": "2026-11-30T12:00", **body})
    printed = io.StringIO()
    command = ["--config", str(engine.folder), "run-test", "support", "--at", "2026-11-30T12:00", *arguments, "--json"]
    with contextlib.redirect_stdout(printed):
        await asyncio.to_thread(main, command)
    assert (status, timeless(json.dumps(told))) == (200, timeless(printed.getvalue()))


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"route": "suport"}, 404, "unknown_route"),
        ({}, 400, "bad_value"),
        ({"route": "support", "caller": "anna"}, 400, "bad_value"),
        ({"route": "support", "inputs": "123"}, 400, "bad_value"),
        ({"route": "support", "inputs": ["x"]}, 400, "bad_value"),
        ({"route": "support", "variables": {"X": 1}}, 400, "bad_value"),
        ({"route": "support", "at": "soon"}, 400, "bad_value"),
        ({"route": "support", "callr": "1"}, 400, "bad_value"),
    ],
)
async def test_what_cannot_be_asked_is_refused(engine: Asking, body: Any, status: int, code: str) -> None:
    found, told = await engine.decide(body)
    assert (found, told["error"]["code"]) == (status, code)
    assert told["error"]["remedy"]


async def test_who_asks_for_too_many_at_once_is_told_to_come_again(engine: Asking) -> None:
    # More than may wait, as some are answered before the last one asks.
    most = MOST_AT_ONCE + MOST_WAITING
    asked = [engine.decisions.decide(AskedCall("support")) for _ in range(4 * most)]
    told = await asyncio.gather(*asked, return_exceptions=True)
    refused = [one for one in told if isinstance(one, ApiError)]
    assert {(one.status, one.headers["Retry-After"]) for one in refused} == {(429, "1")}
    assert sum(isinstance(one, dict) for one in told) == len(told) - len(refused) >= most
