"""Calls a second on one core: the real `serve` with a route that asks an HTTP middleware, beside a C no-op.

Server on core 0; load generator and nginx, the middleware, on core 1. The rows take turns, so that whatever else the
machine does meets all of them; what counts is the median, and the ratio to the no-op of the same run.

    make benchmark                     # needs cc, nginx and the load generator, see benchmarks/README.md
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOADGEN = Path(os.environ.get("LOADGEN", ROOT.parent / "shared" / "tools" / "loadgen"))
ENGINE_PORT, NOOP_PORT, UPSTREAM = 14700, 14701, "http://127.0.0.1:8099/lookup"
#: Commands of a good session: ANSWER, TIMEOUT, STREAM FILE, TIMEOUT, GET DATA and the closing burst of 14 variables.
ENGINE_COMMANDS, NOOP_COMMANDS = 19, 7
ROUNDS = int(os.environ.get("ROUNDS", "5"))


def main() -> int:
    """Measure and print; 1 when a session failed."""
    for need in ("cc", "nginx", "taskset"):
        if shutil.which(need) is None:
            print(f"benchmark: {need} is missing; apt install gcc nginx-light util-linux", file=sys.stderr)
            return 1
    if not (LOADGEN / "agiload.c").is_file():
        print(f"benchmark: no load generator in {LOADGEN}; set LOADGEN to its folder", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="routing-engine-benchmark-") as folder:
        _build(Path(folder))
        rows: dict[str, list[dict[str, Any]]] = {}
        with _upstream(Path(folder)):
            for _ in range(ROUNDS):
                for name, result in _round(Path(folder)):
                    rows.setdefault(name, []).append(result)
    _print(rows)
    return int(any(one["errors"] or one["short"] or one["unknown_cmds"] for found in rows.values() for one in found))


def _build(folder: Path) -> None:
    for name, library in (("agiload", "-lm"), ("noop", "")):
        source = LOADGEN / f"{name}.c"
        subprocess.run(["cc", "-O2", "-o", str(folder / name), str(source), *library.split()], check=True)
    shutil.copy(LOADGEN / "upstream.conf", folder)


def _round(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with _server([str(folder / "noop"), str(NOOP_PORT)], NOOP_PORT, folder) as pid:
        yield "C no-op, no HTTP", _load(folder, pid, NOOP_PORT, NOOP_COMMANDS, 20000)
    for name, loop, level in (
        ("serve", "asyncio", "warning"),
        ("serve, a log line a call", "asyncio", "info"),
        ("serve on uvloop", "uvloop", "warning"),
    ):
        with _server(_serve(folder, loop, level), ENGINE_PORT, folder) as pid:
            yield name, _load(folder, pid, ENGINE_PORT, ENGINE_COMMANDS, 6000)


def _serve(folder: Path, loop: str, level: str) -> list[str]:
    config = folder / f"config-{level}"
    if not config.exists():
        shutil.copytree(ROOT / "benchmarks" / "config", config)
        engine = config / "engine.yaml"
        engine.write_text(engine.read_text().replace("LEVEL", level))
    without = "import sys; sys.modules['uvloop'] = None; " if loop == "asyncio" else ""
    code = f"{without}from routing_engine.cli import main; main(['--config', {str(config)!r}, 'serve'])"
    return [sys.executable, "-c", code]


@contextmanager
def _server(command: list[str], port: int, folder: Path) -> Iterator[int]:
    environment = os.environ | {"BENCHMARK_UPSTREAM": UPSTREAM, "PYTHONPATH": str(ROOT)}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(["taskset", "-c", "0", *command], stdout=log, stderr=log, env=environment)
    with ExitStack() as stack:
        stack.callback(process.wait)
        stack.callback(process.send_signal, signal.SIGKILL)
        _wait_for(port)
        yield process.pid


@contextmanager
def _upstream(folder: Path) -> Iterator[None]:
    nginx = ["taskset", "-c", "1", "nginx", "-c", str(folder / "upstream.conf"), "-p", str(folder)]
    subprocess.run(nginx, check=True)
    try:
        _wait_for(8099)
        yield
    finally:
        subprocess.run([*nginx, "-s", "quit"], check=False)


def _wait_for(port: int) -> None:
    """Wait until somebody listens: look, do not knock."""
    for _ in range(200):
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        if any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port}")


def _load(folder: Path, pid: int, port: int, commands: int, sessions: int) -> dict[str, Any]:
    words = f"-p {port} -s bench -k {commands} -c 50 -n {sessions} -w 500 -S {pid} -C 0 -j"
    done = subprocess.run(
        ["taskset", "-c", "1", str(folder / "agiload"), *words.split()], capture_output=True, text=True, check=False
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _print(rows: dict[str, list[dict[str, Any]]]) -> None:
    floor = median(one["core_us_per_session"] for one in rows["C no-op, no HTTP"])
    print(
        f"{'server, one core':<36} {'calls/s':>8} {'core us':>8} {'x no-op':>8} {'p50 ms':>7} {'p99 ms':>7} {'MB':>7}"
    )
    for name, found in rows.items():
        calls, core = median(one["per_s"] for one in found), median(one["core_us_per_session"] for one in found)
        p50, p99 = median(one["p50_ms"] for one in found), median(one["p99_ms"] for one in found)
        rss = median(one["srv_rss_mb"] for one in found)
        print(f"{name:<36} {calls:>8.0f} {core:>8.0f} {core / floor:>8.1f} {p50:>7.1f} {p99:>7.1f} {rss:>7.1f}")


if __name__ == "__main__":
    sys.exit(main())
