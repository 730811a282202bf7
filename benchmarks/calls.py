"""Recorded calls over a bad line, thousands of them in one tracker: what is told twice, what is lost, what stays open.

    .venv/bin/python -m benchmarks.calls 10000

Streams of a real Asterisk (`tests/calls/streams`) run twenty at a time, with other ids each time. Of every three
twenties one has events repeated and reordered, one loses its line in the middle and gets a snapshot and the history
instead, one has both. The events of a second that one core follows are counted without making the streams.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from itertools import count
from random import Random

from routing_engine.calls.pbx_events import HistoryRead, PbxEvent, Snapshot, Tick
from routing_engine.calls.tracker import CallTracker, TrackedCall
from tests.calls.disturbed import AFTER_S, cut, interleaved, recorded, renamed, reordered, repeated
from tests.calls.recorded import NAMES, connections
from tests.calls.stories import Follower
from tests.calls.test_streams import SITE

AT_ONCE = 20
EVERY_S = 120.0
WHOLE = tuple(name for name in NAMES if len(connections(name)) == 1)


def main() -> None:
    """Follow so many streams, and print what came of them."""
    streams = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    should = {name: _calls(name) for name in WHOLE}
    numbers = count(1)
    tracker = CallTracker(SITE, lambda at: str(next(numbers)))
    told: dict[str, TrackedCall] = {}
    kinds: Counter[tuple[str, str]] = Counter()
    expected: set[str] = set()
    events, busy = 0, 0.0
    for twenty, first in enumerate(range(0, streams, AT_ONCE)):
        names = [WHOLE[one % len(WHOLE)] for one in range(first, min(first + AT_ONCE, streams))]
        expected |= {f"{one}-{first + place}" for place, name in enumerate(names) for one in should[name]}
        story = _disturbed(names, first, twenty)
        began = time.process_time()
        changed = [change for event in story for change in tracker.take(event)]
        busy += time.process_time() - began
        events += len(story)
        told.update({change.call.id: change for change in changed})
        kinds.update((change.call.id, kind) for change in changed for kind in change.kinds)
    _print(streams, events, busy, expected, told, kinds, tracker.kept[0])


def _calls(name: str) -> list[str]:
    follower = Follower(SITE).take(recorded(name))
    return [one.pbx_call_id for one in follower.calls.values() if one.merged_into is None]


def _disturbed(names: Sequence[str], first: int, twenty: int) -> list[PbxEvent]:
    begin, random = 1.8e9 + twenty * EVERY_S, Random(first)
    story = interleaved(
        renamed(recorded(name), f"-{first + place}", begin + random.uniform(0, 5) - recorded(name)[0].at)
        for place, name in enumerate(names)
    )
    if twenty % 3:
        story = cut(story, random)
    if twenty % 3 != 1:
        story = reordered(repeated(story, random), random) if twenty % 3 == 0 else repeated(story, random)
    at = begin + AFTER_S
    return [*story, Snapshot(at, ()), HistoryRead(at + 1), Tick(at + 2)]


def _print(
    streams: int,
    events: int,
    busy: float,
    expected: set[str],
    told: dict[str, TrackedCall],
    kinds: Counter[tuple[str, str]],
    still_open: int,
) -> None:
    calls = [one.call for one in told.values() if one.call.merged_into is None]
    ids = Counter(one.pbx_call_id for one in calls)
    twice = sum(
        times > 1 for (_, kind), times in kinds.items() if kind in ("call.started", "call.ended", "call.missed")
    )
    not_ended = still_open + sum(one.state != "ended" for one in calls)
    print(f"{streams} streams, {events} events, {len(calls)} calls")
    print(f"duplicates {sum(ids.values()) - len(ids)}, events told twice {twice}")
    print(f"lost {len(expected - ids.keys())}, open a minute after their end {not_ended}")
    print(f"{events / busy:.0f} events a second on one core, {busy / events * 1e6:.0f} us each")


if __name__ == "__main__":
    main()
