"""The engine as an operator runs it: `routing-engine serve` as a process of its own, its log lines read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent

from rig.conf import PATIENCE_S

from .middleware import Journal
from .scenery import NOBODY

PROGRAM = Path(sys.executable).with_name("routing-engine")
PLACES = ("crm", "erp", "post", "slow", "error", "garbage", "cut", "huge", "endless", "redirect")
FIELDS = "{id: id, name: name, tier: tier, company: company, note: note, extension: extension}"
Line = Mapping[str, object]


def write_configuration(folder: Path, routes: Mapping[str, str], middleware: str, engine: str = "") -> None:
    """Write a configuration folder whose integrations are the middleware's paths, and `nobody`, where nobody is."""
    for name in ("integrations", "routes"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "engine.yaml").write_text(f"region: AT\nlisteners: {{fastagi: 127.0.0.1:0}}\n{dedent(engine)}")
    addresses = {name: f"{middleware}/{name}" for name in PLACES} | {"nobody": f"http://{NOBODY}/"}
    for name, address in addresses.items():
        text = f"provider: http\naddress: {address}\nmethod: {'POST' if name == 'post' else 'GET'}\n"
        model = f"{{fields: {FIELDS}, record_url: 'https://crm.example.com/{{id}}'}}"
        (folder / "integrations" / f"{name}.yaml").write_text(f"{text}models: {{contact: {model}}}\n")
    for name, text in routes.items():
        write_route(folder, name, text)


def write_route(folder: Path, name: str, text: str) -> None:
    """Write one route as a careful editor does: beside its place, then renamed."""
    beside = folder / "routes" / f".{name}.new"
    beside.write_text(dedent(text))
    beside.rename(folder / "routes" / f"{name}.yaml")


class Engine:
    """A running engine. `log` holds its lines; what is not JSON stands in `noise`."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.folder = folder
        self.log: Journal[Line] = Journal()
        self.noise: list[str] = []
        self.address = ""
        #: Where it answers programs, and edges connect.
        self.http = ""
        self._process = process
        self._reading = asyncio.create_task(self._read())

    @classmethod
    @asynccontextmanager
    async def serving(cls, folder: Path, *program: str | Path, workers: int = 1) -> AsyncIterator[Engine]:
        """An engine with this configuration, ready; it is ended by force afterwards unless it has ended before.

        `program` starts it in another way than an operator does.
        """
        options = ("--workers", str(workers)) if workers > 1 else ()
        process = await asyncio.create_subprocess_exec(
            *(program or (PROGRAM,)), "--config", folder, "serve", *options, stderr=subprocess.PIPE, limit=2**22
        )
        engine = cls(process, folder)
        try:
            ready = await engine.logged("service.ready", timeout_s=60)
            # A hub without a PBX of its own has no FastAGI.
            engine.address, engine.http = _first(ready["fastagi"]), _first(ready.get("http", []))
            yield engine
        finally:
            engine.kill()
            await engine.ended()

    async def _read(self) -> None:
        assert self._process.stderr
        async for line in self._process.stderr:
            try:
                self.log.note(json.loads(line))
            except ValueError:
                self.noise.append(line.decode(errors="replace"))
        self.log.note({"event": "ended", "noise": self.noise})

    async def logged(self, event: str, timeout_s: float = PATIENCE_S, **fields: object) -> Line:
        """The first line, past or to come, of this event and with these fields."""
        wanted = {"event": event, **fields}

        def ends_the_wait(line: Line) -> bool:
            return line["event"] == "ended" or wanted.items() <= line.items()

        line = await self.log.first(ends_the_wait, timeout_s)
        if line["event"] == "ended" and event != "ended":
            raise AssertionError(f"the engine ended without {wanted}: {self.noise or list(self.log)[-5:]}")
        return line

    def lines(self, event: str, **fields: object) -> list[Line]:
        """The lines so far of this event and with these fields."""
        return [line for line in self.log if {"event": event, **fields}.items() <= line.items()]

    @property
    def complaints(self) -> list[object]:
        """What it should never say: errors of ours, and whatever is no log line."""
        bad = ("call.error", "source.failed", "service.cut")
        return [*self.noise, *(line for line in self.log if line["event"] in bad)]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def kill(self) -> None:
        """End it as a crash would."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it accept connections and do nothing."""
        self._signal(signal.SIGSTOP)

    def terminate(self) -> None:
        """Ask it to finish."""
        self._signal(signal.SIGTERM)

    def _signal(self, which: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(which)

    async def ended(self, timeout_s: float = PATIENCE_S) -> int:
        """The exit code, waiting for the end."""
        code = await asyncio.wait_for(self._process.wait(), timeout_s)
        await self._reading
        return code


def _first(addresses: object) -> str:
    return str(addresses[0]) if isinstance(addresses, list) and addresses else ""
