"""A synthesiser for the tests: a Python script that writes a tone, keeps what it was given, and waits where told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from routing_engine.settings.speech import SpeechSettings, read_command

SCRIPT = """
import json, os, sys, wave
home, rate, *words = sys.argv[1:]
given = {"words": words, "stdin": sys.stdin.buffer.read().decode(), "pid": os.getpid(), "environment": dict(os.environ)}
given["text_file"] = next((open(word, encoding="utf-8").read() for word in words if word.endswith("/text")), "")
with open(home + "/runs", "a") as runs:
    runs.write(json.dumps(given) + "\\n")
if os.path.exists(home + "/gate"):
    import socket
    with socket.create_connection(("127.0.0.1", int(open(home + "/gate").read()))) as gate:
        gate.recv(1)
if os.path.exists(home + "/broken"):
    sys.stderr.write(open(home + "/broken").read())
    sys.exit(3)
target = next((word.removeprefix("--out=") for word in words if word.endswith(".wav")), sys.stdout.buffer)
with wave.open(target, "wb") as sound:
    sound.setparams((1, 2, int(rate), 0, "NONE", ""))
    sound.writeframes(b"\\x00\\x10\\x00\\xf0" * int(rate))
"""


@dataclass(frozen=True)
class Studio:
    """The folder of a fake synthesiser: at a `gate` it waits, `broken` holds its complaint."""

    home: Path

    @property
    def sounds(self) -> Path:
        return self.home / "sounds"

    def settings(self, words: str = "{file}", rate: int = 8000, **changed: object) -> SpeechSettings:
        (self.home / "script.py").write_text(SCRIPT)
        program = shlex.join([sys.executable, "-I", "-S", str(self.home / "script.py"), str(self.home), str(rate)])
        return SpeechSettings(
            **{"command": read_command(f"{program} {words}"), "folder": self.sounds, "timeout_s": 20.0, **changed}
        )  # type: ignore[arg-type]

    def runs(self) -> Sequence[dict[str, object]]:
        log = self.home / "runs"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def kept(self) -> list[str]:
        """The names of all that lies in the cache."""
        return sorted(one.name for one in self.sounds.iterdir()) if self.sounds.exists() else []

    @asynccontextmanager
    async def gate(self) -> AsyncIterator[Gate]:
        """While this is open every run waits for `let_go`; at its end all go on."""
        gate = Gate()
        server = await asyncio.start_server(gate.enter, "127.0.0.1", 0)
        file = self.home / "gate"
        file.write_text(str(server.sockets[0].getsockname()[1]))
        yield gate
        file.unlink()
        server.close()
        await gate.let_go()


@dataclass(eq=False)
class Gate:
    """Where runs of the synthesiser wait."""

    _queue: asyncio.Queue[asyncio.StreamWriter] = field(default_factory=asyncio.Queue)
    _waiting: list[asyncio.StreamWriter] = field(default_factory=list)

    async def enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._queue.put_nowait(writer)

    async def entered(self) -> None:
        """One more run has come and waits."""
        self._waiting.append(await self._queue.get())

    async def let_go(self) -> None:
        """All that are known to wait go on."""
        for writer in self._waiting:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        self._waiting.clear()
