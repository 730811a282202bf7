"""What grows with the configuration, and what does not: decisions alone, reading a folder, one changed file, a list.

    python -m benchmarks.growth            # up to 10,000 routes: a minute on a machine that does nothing else

CPU time of one process, so that others on the machine matter less than by the clock.
"""

from __future__ import annotations

import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from routing_engine.config.number_lists import KeptLists
from routing_engine.core.asks import Find, Found, Open, Opened, Typed
from routing_engine.core.decide import decide
from routing_engine.core.model import Caller, Decision, Record, Route
from routing_engine.core.phone import read_number
from routing_engine.engine import open_store

T = TypeVar("T")
ENGINE = "region: AT\nlisteners: {fastagi: 127.0.0.1:14702}\n"
CRM = "provider: http\naddress: http://127.0.0.1:9/crm\nmodels: {contact: {fields: {id: id, tier: tier}}}\n"
SOURCE = "  - {{name: s{0}, integration: crm, search: {{by: caller}}, rules: [{1}]}}\n"
RULE = "{{name: r{0}, when: {{tier: t{0}}}, to: {{queue: q{0}}}}}"
EXAMPLE = "examples:\n  - {name: unknown, caller: '+436641234567', expect: {to: {ivr: main}}}\n"
CALLS = 2000


def main(most: int) -> int:
    """Measure and print tables that Markdown takes as they are."""
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; CPU time\n")
    _table(("a decision of one route", "us"), _decisions())
    counts = [count for count in (10, 100, 1000, 10_000) if count <= most]
    _table(("routes", "start s", "remarks s", "reload, nothing changed s", "one file changed s"), map(_reading, counts))
    _table(("numbers in a list", "read s", "MB", "look-up us"), [_list(count) for count in (1000, 100_000, 1_000_000)])
    return 0


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> None:
    print("|", " | ".join(head), "|")
    print("|---" * len(head) + "|")
    for row in rows:
        print("|", " | ".join(row), "|", flush=True)
    print()


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def _write(folder: Path, routes: int, sources: int = 1, rules: int = 2) -> None:
    for room in ("routes", "integrations"):
        (folder / room).mkdir(parents=True, exist_ok=True)
    (folder / "engine.yaml").write_text(ENGINE)
    (folder / "integrations" / "crm.yaml").write_text(CRM)
    every = ", ".join(RULE.format(number) for number in range(rules))
    text = "sources:\n" + "".join(SOURCE.format(number, every) for number in range(sources))
    for number in range(routes):
        (folder / "routes" / f"r{number:05}.yaml").write_text(f"{text}default: {{to: {{ivr: main}}}}\n{EXAMPLE}")


def _decisions() -> Iterator[tuple[str, str]]:
    """Yield what one decision costs: the last source knows the caller, and its last rule takes him."""
    caller = Caller(read_number("+436641234567", "AT"))
    for sources, rules, routes in (
        (1, 1, 1),
        (5, 1, 1),
        (20, 1, 1),
        (1, 10, 1),
        (1, 100, 1),
        (20, 100, 1),
        (1, 1, 1000),
    ):
        with tempfile.TemporaryDirectory() as name:
            _write(Path(name), routes, sources, rules)
            configuration = open_store(Path(name)).load(remarks=False)
        record = Found((Record({"id": "1", "tier": f"t{rules - 1}"}, "1"),))
        answers = {f"s{number}": Found() for number in range(sources - 1)} | {f"s{sources - 1}": record}

        took_s, decision = _timed(partial(_decide_often, configuration.routes, caller, answers))
        assert decision.rule == f"r{rules - 1}", decision
        yield f"{sources} sources, {rules} rules each, {routes} routes", f"{took_s / CALLS * 1e6:.0f}"


def _decide_often(routes: Mapping[str, Route], caller: Caller, answers: Mapping[str, Found]) -> Decision:
    for _ in range(CALLS):
        decision = _decide(routes["r00000"], caller, answers)  # as a call finds its route: by name
    return decision


def _decide(route: Route, caller: Caller, answers: Mapping[str, Found]) -> Decision:
    talk, answer = decide(route, caller), None
    try:
        while True:
            ask = talk.send(answer)
            answer = (
                answers[ask.source.name] if isinstance(ask, Find) else Opened() if isinstance(ask, Open) else Typed()
            )
    except StopIteration as ended:
        decision: Decision = ended.value
        return decision


def _reading(count: int) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, count)
        store = open_store(folder)
        times = [_timed(store.start)[0], _timed(store.remarks)[0], _timed(store.reload)[0]]
        changed = folder / "routes" / "r00000.yaml"
        changed.write_text(changed.read_text().replace("ivr: main", "ivr: night"))
        times.append(_timed(store.reload)[0])
    return str(count), *(f"{one:.2f}" for one in times)


def _list(count: int) -> tuple[str, ...]:
    chance = random.Random(7)
    text = "".join(f"+43{chance.randrange(6_600_000_000, 6_999_999_999)}\n" for _ in range(count))
    before = _memory_mb()
    took_s, read = _timed(lambda: KeptLists().read("lists/blocked.txt", text, "AT"))
    more, asked = _memory_mb() - before, text.split()[:1000]
    look_s, _ = _timed(lambda: [one in read.numbers.lines for one in asked])
    return f"{count:,}", f"{took_s:.2f}", f"{more:.0f}", f"{look_s / len(asked) * 1e6:.2f}"


def _memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:] or ("10000",))))
