"""`routing-engine doctor` beside a real Asterisk: what is there, what is missing, and who must act."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from .engine import PROGRAM, Engine
from .stage import Stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

ROUTES = {
    "good": "instruction: [menu]\ndefault: {to: {queue: vip}}",
    "telephone": "default: {to: {extension: '1001'}}",
    "mailbox": "default: {to: {voicemail: '1002'}}",
    "place": "default: {to: {dialplan: 'office,200,1'}}",
    "bad_queue": "default: {to: {queue: slaes}}",
    "bad_telephone": "default: {to: {extension: '4711'}}",
    "bad_mailbox": "default: {to: {voicemail: '4711'}}",
    "bad_place": "default: {to: {dialplan: 'ofice,200,1'}}",
    "bad_sound": "instruction: [no-such-sound]\nlanguage: de\ndefault: {to: {hangup: busy}}",
}


async def findings(stage: Stage, engine: Engine, *command: str) -> tuple[int, Mapping[str, Mapping[str, str]]]:
    words = Path(f"/proc/{stage.asterisk.pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    program = shlex.join(word for word in words if word != "-f")
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "doctor", "--json", "--config", engine.folder, "--asterisk", program, stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, {one["about"]: one for one in json.loads(out)["findings"]}


async def test_doctor_tells_what_asterisk_has_and_what_it_has_not(stage: Stage, engine: Engine) -> None:
    code, found = await findings(stage, engine)
    states = {about: one["state"] for about, one in found.items()}
    assert code == 1
    assert {states[name] for name in ("asterisk", "dialplan", "modules", "folder", "revision")} == {"fine"}
    assert {states[name] for name in ("queue vip", "extension 1001", "voicemail 1002", "dialplan office,200,1")} == {
        "fine"
    }
    missing = ("queue slaes", "extension 4711", "voicemail 4711", "dialplan ofice,200,1", "sounds de")
    assert {states[name] for name in missing} == {"act"}
    assert all(found[name]["remedy"].startswith("the administrator of Asterisk: ") for name in missing)
    assert (found["sounds de"]["sentence"], states["sounds en"]) == ("missing: no-such-sound", "fine")


async def test_a_dialplan_that_is_not_as_it_ships_is_told_whatever_its_mark_says(stage: Stage, engine: Engine) -> None:
    await stage.asterisk.command("dialplan remove extension h@routing-engine-queue")
    _, found = await findings(stage, engine)
    await stage.asterisk.command("dialplan reload")
    assert found["dialplan"]["state"] == "act"
    assert "it is not the one that ships: [routing-engine-queue] has no extension 'h'" in found["dialplan"]["sentence"]


async def test_the_dialplan_is_seen_over_the_manager_without_a_command_line(stage: Stage, tmp_path: Path) -> None:
    host, port = stage.asterisk.manager_address
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "good.yaml").write_text(ROUTES["good"])
    (tmp_path / "pbxs").mkdir()
    account = f"{{address: {host}:{port}, user: rig, secret: '${{SECRET}}'}}"
    (tmp_path / "pbxs" / "main.yaml").write_text(f"ami: {account}\ntrunks: [PJSIP/trunk*]\n")
    words = (PROGRAM, "doctor", "--json", "--config", tmp_path, "--asterisk", "/no/such")
    environment = {**os.environ, "SECRET": stage.asterisk.secret}
    process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE, env=environment)
    out, _ = await process.communicate()
    found = {one["about"]: one for one in json.loads(out)["findings"]}
    assert (found["dialplan of main"]["state"], found["asterisk"]["state"]) == ("fine", "unknown"), found


async def test_a_system_that_nobody_reaches_is_named(stage: Stage, engine: Engine) -> None:
    _, found = await findings(stage, engine)
    assert found["integration nobody"]["state"] == "act"
    assert found["integration crm"]["state"] == "fine"
