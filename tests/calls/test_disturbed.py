"""Recorded streams over a bad line: nothing twice, nothing lost, nothing open; the record is the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from routing_engine.calls.call import Call
from routing_engine.calls.pbx_events import HistoryRead, PbxEvent, Snapshot, Tick
from tests.examples import examples

from .disturbed import AFTER_S, cut, interleaved, recorded, renamed, reordered, repeated
from .recorded import NAMES, connections
from .stories import Follower
from .test_streams import SITE

#: Of a PBX that was killed, and of a line that broke, no stream is whole.
STREAM = st.sampled_from([name for name in NAMES if len(connections(name)) == 1])
CHANCE = st.integers(0, 2**32).map(Random)


@cache
def undisturbed(name: str) -> tuple[Call, ...]:
    return records(followed(recorded(name)))


def followed(events: Iterable[PbxEvent]) -> Follower:
    follower = Follower(SITE).take(events)
    return follower.take(Tick(max(one.call.ended_at or 0 for one in follower.told) + AFTER_S))


def records(follower: Follower) -> tuple[Call, ...]:
    """What is the same whatever the order: calls without the ids that we gave them."""
    whole = (replace(one, id="") for one in follower.calls.values() if one.merged_into is None)
    return tuple(sorted(whole, key=lambda one: (one.started_at, one.pbx_call_id)))


def each_once(follower: Follower) -> None:
    assert follower.tracker.kept[0] == 0
    for call in follower.calls.values():
        kinds = follower.kinds(call.id)
        assert call.state == "ended"
        assert kinds.count("call.started") == 1
        assert kinds.count("call.ended") <= 1
        assert kinds.count("call.missed") <= 1
        assert call.merged_into or "call.ended" in kinds


@examples(150)
@given(STREAM, CHANCE)
def test_repeated_and_reordered_the_record_is_the_same(name: str, random: Random) -> None:
    follower = followed(reordered(repeated(recorded(name), random), random))
    each_once(follower)
    assert records(follower) == undisturbed(name)


@examples(50)
@given(st.lists(STREAM, min_size=2, max_size=6), CHANCE)
def test_many_at_once_do_not_disturb_one_another(names: list[str], random: Random) -> None:
    first = recorded(names[0])[0].at
    streams = [renamed(recorded(name), f"-{number}", first - recorded(name)[0].at) for number, name in enumerate(names)]
    follower = followed(reordered(repeated(interleaved(streams), random), random))
    each_once(follower)
    assert len(records(follower)) == sum(len(undisturbed(name)) for name in names)
    told = sorted(str(one.outcome) for one in records(follower))
    assert told == sorted(str(one.outcome) for name in names for one in undisturbed(name))


@examples(150)
@given(STREAM, CHANCE)
def test_a_cut_loses_no_call_and_leaves_none_open(name: str, random: Random) -> None:
    events = recorded(name)
    follower = Follower(SITE).take(repeated(cut(events, random), random))
    # What is asked once a minute.
    at = events[-1].at + AFTER_S
    each_once(follower.take(Snapshot(at, ()), HistoryRead(at + 1)))
    ids = [one.pbx_call_id for one in records(follower)]
    # Two calls that became one in the gap may stay two: the history knows of no transfer.
    assert len(set(ids)) == len(ids)
    assert set(ids) >= {one.pbx_call_id for one in undisturbed(name)}


@examples(50)
@given(STREAM, CHANCE)
def test_a_line_that_stays_cut_leaves_nothing_open_after_the_next_snapshot(name: str, random: Random) -> None:
    events = recorded(name)
    end = random.randrange(1, len(events) + 1)
    at = events[-1].at + 10
    follower = Follower(SITE).take(events[:end], Snapshot(at, ()), HistoryRead(at + 1))
    each_once(follower)
