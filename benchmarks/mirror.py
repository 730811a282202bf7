"""A mirror of 100,000 records: how long a pull takes, what a look-up and the index cost. `python -m benchmarks.mirror`

The other side is a list in memory, so the figures are the mirror's own.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from routing_engine.core.model import Record
from routing_engine.core.phone import read_number
from routing_engine.core.ports import Batch, Query
from routing_engine.lookup.limiter import Limiter
from routing_engine.mirror.provider import MirrorProvider
from routing_engine.settings.integration import Integration, Model, RateLimits
from routing_engine.settings.mirror import Listing, MirrorSettings

RECORDS, PAGE, LOOKUPS = 100_000, 500, 5_000
FIELDS = ("id", "number", "name", "email", "company", "city", "tier", "phone", "mobile")


class _Memory:
    async def page(self, model: str, since: datetime | None, cursor: str) -> Batch:
        start = int(cursor or 0)
        if since is not None:
            return Batch([_record(n) for n in range(start, start + 100)])
        end = min(start + PAGE, RECORDS)
        return Batch([_record(n) for n in range(start, end)], (), str(end) if end < RECORDS else "")

    async def find(self, query: Query) -> Sequence[Record]:
        raise AssertionError

    async def close(self) -> None:
        return None


class _Settings:
    def listing(self, model: str) -> Listing:
        return "changes"


def _record(n: int) -> Record:
    fields = {"id": f"C{n:07}", "number": str(n), "name": f"Customer {n}", "email": f"c{n}@example.com"}
    fields |= {"company": f"Company {n % 5000}", "city": "Linz", "tier": "gold", "phone": f"+43 1 {n:07}"}
    return Record({**fields, "mobile": f"0664 {n:07}"}, fields["id"], f"https://crm.example.com/{n}")


async def _longest_stall(stop: asyncio.Event) -> float:
    worst = 0.0
    while not stop.is_set():
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        worst = max(worst, time.perf_counter() - began - 0.001)
    return worst


async def _measure(folder: Path) -> None:
    model = Model("contact", {name: name for name in FIELDS}, numbers=("phone", "mobile"))
    of = Integration("crm", "memory", {"contact": model}, _Settings(), RateLimits(), MirrorSettings())
    mirror = MirrorProvider(of, _Memory(), Limiter("crm", RateLimits(), time.monotonic), "AT", folder)
    for name, kind in (("first full pull", "full"), ("second, beside the first", "full"), ("100 changes", "changes")):
        stop = asyncio.Event()
        stall, began = asyncio.create_task(_longest_stall(stop)), time.perf_counter()
        await mirror.pull("contact", kind)  # type: ignore[arg-type]
        took_s = time.perf_counter() - began
        stop.set()
        print(f"{name}: {took_s:.2f} s, longest stall of the event loop {await stall * 1000:.1f} ms")
    caller = [read_number(f"+43664{n * 19 % RECORDS:07}", "AT") for n in range(LOOKUPS)]
    times = []
    for number in caller:
        assert number is not None
        began = time.perf_counter()
        assert await mirror.find(Query("contact", "", number.e164, True, number))
        times.append((time.perf_counter() - began) * 1e6)
    times.sort()
    print(f"a look-up: median {median(times):.0f} us, 99 % below {times[int(LOOKUPS * 0.99)]:.0f} us")
    size = _mib(folder)
    print(f"on disk {size:.0f} MiB; most memory of the process {_rss():.0f} MiB")
    await mirror.close()


def _mib(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir()) / 2**20


def _rss() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Measure in a folder that is removed at the end."""
    print(f"Python {sys.version.split()[0]}, {RECORDS} records; {_rss():.0f} MiB before")
    with TemporaryDirectory(prefix="mirror-") as folder:
        asyncio.run(_measure(Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
