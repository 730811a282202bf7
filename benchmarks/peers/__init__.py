"""The same call on what others build such a server with: each a bare script that asks the middleware and goes on.

A row needs its runtime (`go`, `node`), or, for the Python libraries, a package index the first time: they go into
`.cache/peers`. What is not there is left out, and that is said.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent.parent / ".cache" / "peers"
#: Not in the project's own locks: nothing but this comparison uses them.
LIBRARIES = ("panoramisk==1.4", "pystrix==1.3.0", "aiohttp", "urllib3")


def commands(port: int, upstream: str, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each peer's name and the command that serves; `folder` is for what is built."""
    arguments = [str(port), upstream]
    if shutil.which("go") is None:
        _left_out("Go", "apt install golang-go")
    else:
        # GOPATH and cache of its own: nothing is fetched, the standard library will do.
        environment = os.environ | {"GOCACHE": str(folder / "go-cache"), "GO111MODULE": "off"}
        program = folder / "go-server"
        subprocess.run(["go", "build", "-o", str(program), str(HERE / "server.go")], check=True, env=environment)
        yield "Go, net/http", ["env", "GOMAXPROCS=1", str(program), *arguments]
    if shutil.which("node") is None:
        _left_out("Node", "apt install nodejs")
    else:
        yield "Node, node:http", ["node", str(HERE / "server.mjs"), *arguments]
    python = _python()
    if python is not None:
        for name in ("panoramisk", "pystrix"):
            yield f"{name}, bare script", [str(python), str(HERE / f"{name}_server.py"), *arguments]


def _python() -> Path | None:
    python = CACHE / "bin" / "python"
    if not (CACHE / "done").exists():
        venv.create(CACHE, with_pip=True, clear=True)
        got = subprocess.run([str(python), "-m", "pip", "install", "-q", *LIBRARIES], check=False)
        if got.returncode:
            _left_out("panoramisk and pystrix", "let pip reach a package index")
            return None
        (CACHE / "done").touch()
    return python


def _left_out(what: str, remedy: str) -> None:
    print(f"benchmark: {what} is left out; {remedy}", file=sys.stderr)
