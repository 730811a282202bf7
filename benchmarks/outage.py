"""A CRM that is down for an hour while ten calls a second end: what arrives, in which order, and what it takes.

    .venv/bin/python -m benchmarks.outage 36000

The clock is an argument, so the hour takes as long as the work: the queue, the lane and its pauses are the real ones,
on a database in memory.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from dataclasses import dataclass

from routing_engine.delivery.lane import Lane
from routing_engine.delivery.outbox_queue import OutboxQueue
from tests.delivery.fakes import NOON, FakeClock, InlineDatabase, hook, workplace
from tests.delivery.test_faults import EVENTS, HOUR_S, DownForAnHour, EveryCall


@dataclass(frozen=True)
class Outage:
    """What came of it; `within_s` is how long after its return the last thing arrived, on the clock of the outage."""

    calls: int
    missing: int
    twice: int
    disordered: int
    tried: int
    within_s: float
    grown_mib: float
    cpu_s: float


async def outage(calls: int) -> Outage:
    """Let the target be away for an hour, and see to it that all is sent."""
    clock, database = FakeClock(), InlineDatabase()
    queue, target = OutboxQueue(database), DownForAnHour(clock, calls)
    lane = Lane("hook", target, workplace(queue, EveryCall(), clock))
    began, half = time.process_time(), 0
    for number in range(calls):
        jobs = [hook(str(number), str(event)) for event in range(EVENTS)]
        database.now(lambda connection, jobs=jobs: queue.put(connection, jobs, clock()))  # type: ignore[misc]
        clock.at += HOUR_S / calls
        await lane.turn()
        await lane.settle()
        if number == calls // 10:
            half = _peak_kib()
    grown = _peak_kib()
    while (due := await lane.turn()) is not None or lane.under_way:
        await lane.settle()
        clock.at = max(clock.at, due or 0.0)
    database.close()
    missing = sum(one < EVENTS for one in target.got)
    twice = sum(one > EVENTS for one in target.got)
    within_s = target.last_at - NOON - HOUR_S
    cpu_s = time.process_time() - began
    return Outage(calls, missing, twice, target.disordered, target.tried, within_s, (grown - half) / 1024, cpu_s)


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Print what came of so many calls."""
    found = asyncio.run(outage(int(sys.argv[1]) if len(sys.argv) > 1 else 36_000))
    print(f"{found.calls} calls of an hour without the CRM: {found.missing} missing, {found.twice} twice,")
    print(f"{found.disordered} out of order, the last one {found.within_s:.0f} s after its return;")
    print(f"asked {found.tried} times meanwhile, {found.grown_mib:.0f} MiB more (the database is in memory here),")
    print(f"{found.cpu_s:.0f} s of a core")


if __name__ == "__main__":
    main()
