"""A long soak: calls in rounds, a system that fails at random, and what the engine holds after each round.

The test of 10,000 calls is tests/soak; this is for a night: what grows a little with every call shows after a million.

    .venv/bin/python -m benchmarks.soak 50000 20    # twenty rounds of 50,000 calls
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from routing_engine.log import set_up_log
from tests.soak.crowd import books, crowd, engine, settle, write

ROOT = Path(__file__).resolve().parent.parent


async def soak(folder: Path, upstream: int, calls: int, rounds: int) -> int:
    """Run the rounds, print a line for each; give how many callers got no destination."""
    lost = 0
    print(f"{'calls':>9} {'a second':>8} {'hung up':>8} {'lost':>5} {'tasks':>6} {'files':>6} {'objects':>8} {'MB':>7}")
    async with engine(write(folder, upstream)) as (service, port):
        for number in range(rounds):
            began = time.monotonic()
            told = await crowd(port, calls, number, f"{number}.")
            a_second = calls / (time.monotonic() - began)
            for left in await settle(service):
                print(f"still there: {left}")
            now = books()
            lost += len(told.nothing)
            print(
                f"{calls * (number + 1):>9} {a_second:>8.0f} {len(told.left):>8} {len(told.nothing):>5}"
                f" {now.tasks:>6} {now.files:>6} {now.objects:>8} {now.memory_kb / 1024:>7.1f}"
            )
    return lost


def main(calls: int = 10_000, rounds: int = 5) -> int:
    """Start the middleware that fails, and soak."""
    set_up_log("error", "json")
    command = [sys.executable, "-m", "tests.soak.middleware", "1"]
    with (
        tempfile.TemporaryDirectory(prefix="routing-engine-soak-") as folder,
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            return int(asyncio.run(soak(Path(folder), int(process.stdout.readline()), calls, rounds)) > 0)
        finally:
            process.kill()


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
