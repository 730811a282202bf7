"""The API does what its OpenAPI document says: asked by schemathesis, address by address, of a whole engine."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import aiohttp
import pytest

from .engine import KEY, engine

pytestmark = pytest.mark.io

#: A cursor, a user, a moment that lies ahead: what a value means goes beyond what a schema says.
NOT_SAID = "positive_data_acceptance"
ARGUMENTS = (
    *("--header", f"Authorization: Bearer {KEY}", "--seed", "1", "--workers", "1", "--max-examples", "3"),
    # It does not end by itself; test_stream.py has it.
    *("--exclude-path", "/v1/stream", "--exclude-checks", NOT_SAID, "--no-color"),
)


async def test_every_address_keeps_what_the_document_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    async with engine(folder, monkeypatch) as found:
        command = (sys.executable, "-m", "schemathesis.cli", "run", f"{found.url}/v1/openapi.json", *ARGUMENTS)
        asking = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=tmp_path)
        said, _ = await asking.communicate()
    assert asking.returncode == 0, said.decode()


async def test_the_document_names_every_right_and_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with engine(tmp_path, monkeypatch) as found, aiohttp.ClientSession(found.url) as session:
        async with session.get("/v1/openapi.json") as answer:
            document = await answer.json()
        for path, methods in document["paths"].items():
            for method, row in methods.items():
                assert row["summary"], f"{method} {path}"
                assert row["security"] == [] or {"401", "403"} <= set(row["responses"]), f"{method} {path}"
                assert any(int(status) < 400 for status in row["responses"]), f"{method} {path}"
    assert {"Call", "Leg", "Error"} <= set(document["components"]["schemas"])
