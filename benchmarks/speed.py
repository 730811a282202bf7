"""The real `serve` beside a C no-op and what others build such servers with: calls a second, delay, memory.

Server on core 0; load generator and nginx, the middleware, on core 1. The rows take turns, so that whatever else the
machine does meets all of them; what counts is the median, and the ratio to another row of the same run.

    make benchmark                     # needs cc, nginx and the load generator, see benchmarks/README.md
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

from benchmarks import peers
from benchmarks.plot import bars

ROOT = Path(__file__).resolve().parent.parent
LOADGEN = Path(os.environ.get("LOADGEN", ROOT.parent / "shared" / "tools" / "loadgen"))
#: Another tree of this project to run beside this one, such as the commit before.
BEFORE = os.environ.get("BEFORE", "")
ENGINE_PORT, OTHER_PORT, UPSTREAM = 14700, 14701, "http://127.0.0.1:8099/lookup"
#: Commands of a good session: ANSWER, TIMEOUT, STREAM FILE, TIMEOUT, GET DATA and the closing burst of 14 variables.
ENGINE_COMMANDS, PEER_COMMANDS = 19, 7
ROUNDS = int(os.environ.get("ROUNDS", "5"))
SESSIONS = int(os.environ.get("SESSIONS", "4000"))
#: Calls a second for the delays, for so many seconds, and calls that are held for the memory.
RATES, SECONDS, HELD = (200, 1000), 4, (1000, 10_000)
FLOOR, GO, PANORAMISK, SERVE = "C no-op, no HTTP", "Go, net/http", "panoramisk, bare script", "serve, as it comes"
#: One line of the load generator.
Measured: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Row:
    """One server, and what was measured of it in each round. `commands` is how many a good session has."""

    name: str
    command: list[str]
    port: int
    commands: int
    tree: Path = ROOT
    closed: list[Measured] = field(default_factory=list)
    #: By calls a second, and by calls held.
    open: dict[int, list[Measured]] = field(default_factory=lambda: {rate: [] for rate in RATES})
    idle: dict[int, list[Measured]] = field(default_factory=lambda: {held: [] for held in HELD})

    def core_us(self) -> float:
        """Return the busy time of the server's core for one call."""
        return float(median(one["core_us_per_session"] for one in self.closed))

    def cpu_us(self) -> float:
        """Return the CPU time that the kernel charges the process for one call: less than `core_us`, and calmer."""
        return float(median(one["srv_cpu_us_per_session"] for one in self.closed))

    def is_bad(self) -> bool:
        """Return whether a session failed."""
        # A server that cannot do 1,000 a second leaves calls waiting until they are lost: that is no fault.
        return any(one["errors"] or one["unknown_cmds"] for one in (*self.closed, *self.open[RATES[0]]))


def main() -> int:
    """Measure and print; 1 when a session failed."""
    for need in ("cc", "nginx", "taskset"):
        if shutil.which(need) is None:
            print(f"benchmark: {need} is missing; apt install gcc nginx-light util-linux", file=sys.stderr)
            return 1
    if not (LOADGEN / "agiload.c").is_file():
        print(f"benchmark: no load generator in {LOADGEN}; set LOADGEN to its folder", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="routing-engine-benchmark-") as name:
        folder = Path(name)
        build(folder)
        rows = list(_rows(folder))
        with _upstream(folder):
            for _ in range(ROUNDS):
                for row in rows:
                    _measure(row, folder)
    _write(rows)
    return int(any(row.is_bad() for row in rows))


def build(folder: Path) -> None:
    """Compile the load generator and the server that does nothing."""
    for name, library in (("agiload", "-lm"), ("noop", "")):
        source = LOADGEN / f"{name}.c"
        subprocess.run(["cc", "-O2", "-o", str(folder / name), str(source), *library.split()], check=True)
    shutil.copy(LOADGEN / "upstream.conf", folder)


def _rows(folder: Path) -> Iterator[Row]:
    yield Row(FLOOR, [str(folder / "noop"), str(OTHER_PORT)], OTHER_PORT, PEER_COMMANDS)
    for name, command in peers.commands(OTHER_PORT, UPSTREAM, folder):
        yield Row(name, command, OTHER_PORT, PEER_COMMANDS)
    yield Row(SERVE, _serve(folder, ROOT, "asyncio", "info"), ENGINE_PORT, ENGINE_COMMANDS)
    yield Row("serve, no journal, no log", _serve(folder, ROOT, "asyncio", "warning"), ENGINE_PORT, ENGINE_COMMANDS)
    yield Row("serve on uvloop", _serve(folder, ROOT, "uvloop", "info"), ENGINE_PORT, ENGINE_COMMANDS)
    if BEFORE:
        tree = Path(BEFORE).resolve()
        yield Row(
            f"serve of {tree.name}", _serve(folder, tree, "asyncio", "info"), ENGINE_PORT, _commands_of(tree), tree
        )


def _commands_of(tree: Path) -> int:
    """Return how many commands a session of another tree has, as its own benchmark says."""
    found = re.search(r"^ENGINE_COMMANDS, \w+ = (\d+)", (tree / "benchmarks" / "speed.py").read_text(), re.MULTILINE)
    return int(found[1]) if found else ENGINE_COMMANDS


def _serve(folder: Path, tree: Path, loop: str, level: str) -> list[str]:
    config = folder / f"config-{tree.name}-{loop}-{level}"
    shutil.copytree(ROOT / "benchmarks" / "config", config)
    engine = config / "engine.yaml"
    without = "journal: none\n" if level == "warning" else ""
    engine.write_text(engine.read_text().replace("LEVEL", level) + without)
    hidden = "import sys; sys.modules['uvloop'] = None; " if loop == "asyncio" else ""
    code = f"{hidden}from routing_engine.cli import main; main(['--config', {str(config)!r}, 'serve'])"
    return [sys.executable, "-c", code]


def _measure(row: Row, folder: Path) -> None:
    """Measure one row once: as many calls as it can, then at a rate, then calls that wait."""
    with _server(row, folder) as pid:
        load = _generator(folder, row, pid)
        row.closed.append(load(f"-c 50 -n {SESSIONS} -w 500"))
        for rate, measured in row.open.items():
            measured.append(load(f"-r {rate} -x -n {rate * SECONDS} -c 4000"))
    for held, idle in row.idle.items():
        with _server(row, folder) as pid:  # one that has served nobody: memory that is free would hide the calls
            idle.append(_generator(folder, row, pid)(f"-I -c {held} -H 1"))


def _generator(folder: Path, row: Row, pid: int) -> Callable[[str], Measured]:
    def load(how: str) -> Measured:
        words = f"-p {row.port} -s bench -k {row.commands} {how} -S {pid} -C 0 -j"
        done = subprocess.run(
            ["taskset", "-c", "1", str(folder / "agiload"), *words.split()], capture_output=True, text=True, check=False
        )
        found: Measured = json.loads(done.stdout.splitlines()[-1])
        return found

    return load


@contextmanager
def _server(row: Row, folder: Path) -> Iterator[int]:
    environment = os.environ | {"BENCHMARK_UPSTREAM": UPSTREAM, "PYTHONPATH": str(row.tree)}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            ["taskset", "-c", "0", *row.command], stdout=log, stderr=log, env=environment, cwd=folder
        )
    with ExitStack() as stack:
        stack.callback(process.wait)
        stack.callback(process.send_signal, signal.SIGKILL)
        wait_for(row.port)
        yield process.pid


@contextmanager
def _upstream(folder: Path) -> Iterator[None]:
    nginx = ["taskset", "-c", "1", "nginx", "-c", str(folder / "upstream.conf"), "-p", str(folder)]
    subprocess.run(nginx, check=True)
    try:
        wait_for(8099)
        yield
    finally:
        subprocess.run([*nginx, "-s", "quit"], check=False)


def wait_for(port: int) -> None:
    """Wait until somebody listens: look, do not knock."""
    for _ in range(400):
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        if any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nobody listens on port {port}")


_PAGE = """# Speed

What `make benchmark` measured last ([how](../../benchmarks/README.md)): the same call, a prompt, four digits, a look-up
over HTTP and a queue, by `serve` with all that is on by default, and by bare scripts that do the same
with seven commands
and keep nothing. Only ratios travel to another machine; delays and calls a second are those of this one.
[Where a call's time goes](../decisions/speed.md).

![CPU time of a call](../pictures/speed.svg)

- `x Go`, `x panoramisk`: how many times as many calls as those for the same CPU time.
- Delays are from the moment at which a call was meant to begin, calls come by chance (Poisson).
- Memory is that of one call which waits for its caller.
"""
_TITLES = ("server, one core", "calls/s", "core us", "CPU us", "x Go", "x panoramisk")
_MORE = (*(f"p50, p95, p99 ms at {rate}/s" for rate in RATES), *(f"KB of {held:,} idle" for held in HELD))


def _table(rows: list[Row]) -> Iterator[str]:
    """Yield the lines of a table that Markdown takes as it is."""
    by_name = {row.name: row for row in rows}
    yield f"| {' | '.join((*_TITLES, *_MORE))} |"
    yield "|---" * len((*_TITLES, *_MORE)) + "|"
    for row in rows:
        # Of the CPU time: on a machine that does other work as well, its cores' busy time is not ours.
        against = [by_name[name].cpu_us() / row.cpu_us() if name in by_name else 0.0 for name in (GO, PANORAMISK)]
        speed = median(one["per_s"] for one in row.closed)
        cells = [f"{speed:.0f}", f"{row.core_us():.0f}", f"{row.cpu_us():.0f}", *(f"{one:.2f}" for one in against)]
        for measured in row.open.values():
            places = [median(one[f"p{place}_ms"] for one in measured) for place in (50, 95, 99)]
            cells.append(", ".join(f"{one:.1f}" for one in places))
        cells += [f"{median(one['kb_per_session'] for one in idle):.1f}" for idle in row.idle.values()]
        yield f"| {' | '.join((row.name, *cells))} |"


def _machine() -> str:
    words = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    load = os.getloadavg()[0]
    return (
        f"{time.strftime('%Y-%m-%d')}: {os.cpu_count()} cores of {words[0] if words else platform.machine()}, Python "
        f"{platform.python_version()}, {ROUNDS} rounds of {SESSIONS} calls; load of the machine at the end {load:.1f}"
    )


def _write(rows: list[Row]) -> None:
    """Print the table, and write the page and the picture of the documentation where that is wanted (DOCS=1)."""
    machine, table = _machine(), "\n".join(_table(rows))
    print(f"{machine}\n\n{table}")
    if not os.environ.get("DOCS"):
        return
    picture = bars("CPU time of a call, in microseconds", [(row.name, row.cpu_us()) for row in rows], "us", "serve")
    (ROOT / "docs" / "pictures" / "speed.svg").write_text(picture)
    (ROOT / "docs" / "reference" / "speed.md").write_text(f"{_PAGE}\n{machine}.\n\n{table}\n")


if __name__ == "__main__":
    sys.exit(main())
