"""`make demo`: real calls through a real Asterisk, the engine and a middleware; prints where each landed, and why."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig.asterisk import Asterisk, Landing
from rig.sip import Phone

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Story:
    """One call of the demo: who calls, what they dial and type, and where they must land."""

    title: str
    dials: str
    caller: str
    types: str
    lands: tuple[str, str]


STORIES = (
    Story("A gold customer types the customer number", "support", "+4315550001", "123456#", ("queue", "vip")),
    Story("A known caller: the CRM names the account owner", "reception", "+436641234567", "", ("extension", "1001")),
    Story("A caller whom nobody knows", "reception", "+49301234567", "", ("ivr", "main")),
    Story("Someone who types nothing, three times", "support", "+436641234567", "", ("ivr", "main")),
)
OUTAGE = Story("The same known caller while the CRM is down", "reception", "+436641234567", "", ("queue", "support"))

DIALPLAN = """
[globals]
ROUTING_ENGINE_1=127.0.0.1:{port}
#include "{root}/dialplan/routing-engine.conf"
[from-trunk]
exten => support,1,Goto(routing-engine,support,1)
exten => reception,1,Goto(routing-engine,reception,1)
[ivr-main]
exten => s,1,Background(menu-main)
 same => n,WaitExten(5)
"""


async def main() -> int:
    """Place the calls; 0 when every one landed where it must."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="routing-engine-demo-") as folder:
        async with _stage(Path(folder)) as stage:
            say(f"Asterisk, the engine and the middleware are up after {time.monotonic() - began:.1f} s.")
            say("Calling, half a minute ...\n")
            results = await asyncio.gather(*(stage.place(story) for story in STORIES))
            await stage.stop_middleware()
            results.append(await stage.place(OUTAGE))
    for number, (story, (shown, landed)) in enumerate(zip((*STORIES, OUTAGE), results, strict=True), 1):
        say(f"{number}. {story.title}{'' if landed else '   <-- NOT WHERE IT SHOULD'}\n{shown}\n")
    good = sum(good for _, good in results)
    say(f"{good} of {len(results)} calls landed where they should, in {time.monotonic() - began:.0f} s.")
    say("Next: README.md, 'Your first route in five minutes'.")
    return 0 if good == len(results) else 1


class Stage:
    """Everything that runs during the demo."""

    def __init__(self, asterisk: Asterisk, phone: Phone, log: Path, middleware: asyncio.subprocess.Process) -> None:
        self._asterisk = asterisk
        self._phone = phone
        self._log = log
        self._middleware = middleware

    async def place(self, story: Story) -> tuple[str, bool]:
        """Place one call; give its story as text, and whether it landed where it must."""
        call = await self._phone.dial(self._asterisk.sip_address, story.dials, caller=story.caller)
        await call.answered()
        if story.types:
            await call.press(story.types)
        kind, target = story.lands
        landing = await self._asterisk.landed(call, "routing-engine-[eqirvc]*", 90, application="*")
        heard, silence = call.sound_heard_s, call.longest_silence_s
        await call.hang_up()
        lines = [
            f"   called from  {story.caller}" + (f" and typed {story.types}" if story.types else ""),
            f"   landed at    {_place(landing)}",
            f"   why          {self._why(landing)}",
            f"   the caller   heard {heard:.1f} s of prompts, never more than {silence:.1f} s of silence",
        ]
        return "\n".join(lines), (landing.context, landing.exten) == (f"routing-engine-{kind}", target)

    def _why(self, landing: Landing) -> str:
        event = self._routed(landing.variables["ROUTE_CALL_ID"])
        rule = f", by rule '{event['rule']}' of {event['source']}" if event["rule"] else ""
        steps = "".join(f"\n                  {step['step']}: {step['outcome']}" for step in event["trail"])
        return f"{event['reason']}{rule}{steps}"

    def _routed(self, call_id: str) -> dict[str, Any]:
        events = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        return next(event for event in events if event.get("call_id") == call_id and "trail" in event)

    async def stop_middleware(self) -> None:
        """The CRM goes down."""
        self._middleware.terminate()
        await self._middleware.wait()


def _place(landing: Landing) -> str:
    priority = landing.variables.get("QUEUE_PRIO")
    name = landing.variables.get("CALLERID(name)")
    more = (f", priority {priority}" if priority else "") + (f", shown as '{name}'" if name else "")
    return f"{landing.context.removeprefix('routing-engine-')} {landing.exten}{more}"


@contextlib.asynccontextmanager
async def _stage(folder: Path) -> AsyncIterator[Stage]:
    port, crm = free_port(), free_port()
    config = shutil.copytree(ROOT / "demo" / "config", folder / "config")
    engine_yaml = config / "engine.yaml"
    engine_yaml.write_text(engine_yaml.read_text().replace("4573", str(port)))
    log = folder / "engine.log"
    async with contextlib.AsyncExitStack() as stack:
        middleware = await _start(
            stack, folder / "middleware.log", "-m", "demo.middleware", "--listen", f"127.0.0.1:{crm}"
        )
        os.environ["DEMO_MIDDLEWARE"] = f"http://127.0.0.1:{crm}"
        await _start(stack, log, "-m", "routing_engine.cli", "--config", str(config), "serve")
        asterisk = await stack.enter_async_context(
            Asterisk(
                DIALPLAN.format(port=port, root=ROOT),
                sounds=ROOT / "sounds",
                queues={"vip": ["PJSIP/1001"], "support": ["PJSIP/1002"]},
            )
        )
        await _listening(port, crm)
        yield Stage(asterisk, await stack.enter_async_context(Phone.open()), log, middleware)


async def _start(stack: contextlib.AsyncExitStack, log: Path, *arguments: str) -> asyncio.subprocess.Process:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=ROOT, stdout=output, stderr=output
        )

    async def end() -> None:
        if process.returncode is None:
            process.terminate()
            await process.wait()

    stack.push_async_callback(end)
    return process


async def _listening(*ports: int) -> None:
    """Wait until somebody listens on each port: look, do not knock."""
    wanted = {f"0100007F:{port:04X}" for port in ports}
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if wanted <= _listeners():
            return
        await asyncio.sleep(0.02)
    raise TimeoutError("the engine or the middleware did not come up")


def _listeners() -> set[str]:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[1] for row in rows if row[3] == "0A"}


def free_port() -> int:
    """Return a TCP port that is free now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
