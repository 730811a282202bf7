"""`serve` in one process beside `serve --workers N`, in turns on the same cores: how much more they carry together.

Load generator and nginx, the middleware, share the cores with the engine, as on a machine of its own nobody would have
them: what counts is the ratio of the two in one run.

    python -m benchmarks.workers 2 5       # two workers, five rounds
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.speed import ENGINE_COMMANDS, ENGINE_PORT, ROOT, UPSTREAM, build, wait_for

SESSIONS = int(os.environ.get("SESSIONS", "6000"))
#: Calls at a time: more than one process has turns for.
AT_ONCE = 100


def main(workers: int, rounds: int) -> int:
    """Measure and print; 1 when a call failed."""
    found: dict[int, list[dict[str, Any]]] = {1: [], workers: []}
    with tempfile.TemporaryDirectory(prefix="routing-engine-workers-") as name:
        folder = Path(name)
        build(folder)
        with _upstream(folder):
            for _ in range(rounds):
                for count, measured in found.items():
                    measured.append(_measure(folder, count))
    speeds = {count: median(one["per_s"] for one in measured) for count, measured in found.items()}
    print(f"{os.cpu_count()} cores, {rounds} rounds of {SESSIONS} calls, {AT_ONCE} at a time")
    for count, measured in found.items():
        late = median(one["p99_ms"] for one in measured)
        print(f"serve --workers {count}: {speeds[count]:.0f} calls/s, p99 {late:.0f} ms")
    print(f"ratio: {speeds[workers] / speeds[1]:.2f}")
    return int(any(one["errors"] for measured in found.values() for one in measured))


def _measure(folder: Path, workers: int) -> dict[str, Any]:
    with _engine(folder, workers):
        words = f"-p {ENGINE_PORT} -s bench -k {ENGINE_COMMANDS} -c {AT_ONCE} -n {SESSIONS} -w 1000 -j"
        done = subprocess.run([str(folder / "agiload"), *words.split()], capture_output=True, text=True, check=False)
        measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return measured


@contextmanager
def _engine(folder: Path, workers: int) -> Iterator[None]:
    config = folder / f"config-{workers}"
    shutil.copytree(ROOT / "benchmarks" / "config", config, dirs_exist_ok=True)
    engine = config / "engine.yaml"
    engine.write_text(engine.read_text().replace("LEVEL", "info"))
    command = [sys.executable, "-m", "routing_engine.cli", "--config", str(config), "serve", "--workers", str(workers)]
    environment = os.environ | {"BENCHMARK_UPSTREAM": UPSTREAM, "PYTHONPATH": str(ROOT)}
    with (folder / "server.log").open("wb") as log, ExitStack() as stack:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        wait_for(ENGINE_PORT)
        yield


@contextmanager
def _upstream(folder: Path) -> Iterator[None]:
    nginx = ["nginx", "-c", str(folder / "upstream.conf"), "-p", str(folder)]
    subprocess.run(nginx, check=True)
    try:
        wait_for(8099)
        yield
    finally:
        subprocess.run([*nginx, "-s", "quit"], check=False)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:] or ("2", "5"))))
