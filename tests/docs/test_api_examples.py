"""What the API's reference shows in curl does what it says, asked of a whole engine by curl itself."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from tests.web.engine import KEY, Engine, engine

from .pages import REFERENCE, ROOT, blocks

pytestmark = [pytest.mark.io, pytest.mark.servers]

#: The engine of this test has no PBX and no CRM: what needs one is refused, and says so.
WITHOUT = {"/recording": "no_recording", "/contact": "no_right", '"to": "+436641234567"': "no_phone"}


def examples() -> list[str]:
    return [one.text for one in blocks(REFERENCE / "api.md") if one.language == "sh" and one.text.startswith("curl ")]


@pytest.fixture(scope="module")
def curl() -> str:
    """The folder of the machine's curl, or of one that is fetched."""
    return subprocess.run([ROOT / "rig/get-curl"], capture_output=True, text=True, check=True).stdout.splitlines()[-1]


async def asked(example: str, found: Engine, folder: Path, curl: str) -> tuple[int, str]:
    """Run an example as it stands; return the status and what was answered."""
    command = example.replace("http://127.0.0.1:8473", found.url).strip()
    limits = "-sS --max-time 2 -w '%{stderr}%{http_code}' -o answer"
    words = {"WEBSITE_KEY": KEY, "CLOUD_KEY": KEY, "CALL": found.call, "PATH": f"{curl}:/usr/bin:/bin"}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_shell(f"{command} {limits}", cwd=folder, env=words, stderr=pipe)
    _, told = await process.communicate()
    (answer,) = [one for name in ("answer", "call.wav") if (one := folder / name).exists()]
    return int(told.decode().split()[-1][-3:]), answer.read_text()


@pytest.mark.parametrize("example", examples())
async def test_an_example_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, curl: str, example: str
) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    async with engine(folder, monkeypatch) as found:
        status, answer = await asked(example, found, tmp_path, curl)
    refused = next((code for part, code in WITHOUT.items() if part in example), None)
    if refused is None:
        assert status in (200, 202), answer
    else:
        assert json.loads(answer)["error"]["code"] == refused


def test_every_part_of_the_page_has_one() -> None:
    assert len(examples()) >= 8
