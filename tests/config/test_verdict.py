"""When a revision on trial is taken back: where it does worse, not by chance, and not too early."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.config.verdict import FALSE_ALARM, CallCounts, StepCounts, by_chance, judge, looks_due
from routing_engine.settings.revisions import GUARDED, ActivationKeys
from tests.examples import examples

IN_FORCE = CallCounts(200, defaults=40, lookup_errors=2, hang_ups=10)
WORSE = {
    "at the default": (
        CallCounts(20, defaults=16),
        "16 of 20 calls took the default, in force 40 of 200: 60 percentage",
    ),
    "source": (
        CallCounts(20, lookup_errors=8),
        "8 of 20 calls met a source that could not be asked, in force 2 of 200",
    ),
    "hung up": (CallCounts(20, hang_ups=12), "12 of 20 calls were hung up before the decision, in force 10 of 200"),
    "no route": (CallCounts(3, errors=3), "3 of 3 calls had no route to follow, or met an error of the engine"),
}
FINE = {
    "the same": CallCounts(20, defaults=4),
    "better": CallCounts(100, defaults=1),
    "what chance does": CallCounts(20, defaults=7),
    "within the limit": CallCounts(20_000, defaults=5_800),
    "too few": CallCounts(19, defaults=19),
    "two errors": CallCounts(10, errors=2),
}


def verdict(ours: CallCounts, theirs: CallCounts = IN_FORCE, limits: ActivationKeys = GUARDED) -> str:
    return judge(StepCounts(ours, theirs), limits)[0]


@pytest.mark.parametrize("what", WORSE)
def test_what_does_worse_is_taken_back_with_its_figures(what: str) -> None:
    counts, sentence = WORSE[what]
    assert verdict(counts).startswith(sentence)


@pytest.mark.parametrize("what", FINE)
def test_what_is_no_worse_stays(what: str) -> None:
    assert verdict(FINE[what]) == ""


def test_without_other_calls_nothing_but_errors_is_judged() -> None:
    assert verdict(CallCounts(100, defaults=100), CallCounts()) == ""
    assert verdict(CallCounts(5, errors=3), CallCounts())


def test_errors_that_both_have_are_not_the_revisions() -> None:
    assert verdict(CallCounts(20, errors=4), CallCounts(200, errors=60)) == ""


def test_it_is_looked_at_again_when_there_are_half_as_many_calls_more() -> None:
    looks = [looks_due(calls, 20) for calls in range(1000)]
    assert [calls for calls, (before, now) in enumerate(pairwise(looks), 1) if now > before] == [
        20, 30, 45, 68, 102, 152, 228, 342, 513, 769,
    ]  # fmt: skip


def test_between_two_looks_nothing_is_judged() -> None:
    counts = StepCounts(CallCounts(20, defaults=4), IN_FORCE)
    _, looked = judge(counts, GUARDED)
    assert judge(StepCounts(CallCounts(25, defaults=24), IN_FORCE, looked.looks), GUARDED)[0] == ""
    assert judge(StepCounts(CallCounts(30, defaults=24), IN_FORCE, looked.looks), GUARDED)[0]


def test_all_looks_together_have_one_chance_in_a_hundred() -> None:
    assert math.fsum(FALSE_ALARM / (look * (look + 1)) for look in range(1, 10_000)) < FALSE_ALARM


@examples(100)
@given(st.integers(1, 30), st.integers(1, 60), st.data())
def test_the_chance_is_that_of_every_way_to_deal_them(calls: int, others: int, data: st.DataObject) -> None:
    bad, theirs = data.draw(st.integers(0, calls)), data.draw(st.integers(0, others))
    ways = range(bad, min(calls, bad + theirs) + 1)
    dealt = sum(math.comb(calls, n) * math.comb(others, bad + theirs - n) for n in ways if bad + theirs - n >= 0)
    assert by_chance(bad, calls, theirs, others) == pytest.approx(dealt / math.comb(calls + others, bad + theirs))


def test_a_revision_that_is_no_worse_is_seldom_taken_back() -> None:
    """Of 300 trials of the same rules, each over 2000 calls with a tenth on trial, at most a few end by themselves."""
    dice, ended = random.Random(15), 0
    for _ in range(300):
        counts = StepCounts()
        for _ in range(2000):
            one = CallCounts(1, dice.random() < 0.3, dice.random() < 0.05, dice.random() < 0.1)
            tried = dice.random() < 0.1
            ours, theirs = (
                (counts.trial.plus(one), counts.in_force) if tried else (counts.trial, counts.in_force.plus(one))
            )
            why, counts = judge(StepCounts(ours, theirs, counts.looks), GUARDED)
            if why:
                ended += 1
                break
    assert ended <= 3


def test_a_bad_one_is_found_soon() -> None:
    dice, counts = random.Random(15), StepCounts()
    for _ in range(2000):
        tried = dice.random() < 0.1
        one = CallCounts(1, dice.random() < (0.8 if tried else 0.2))
        ours, theirs = (counts.trial.plus(one), counts.in_force) if tried else (counts.trial, counts.in_force.plus(one))
        why, counts = judge(StepCounts(ours, theirs, counts.looks), GUARDED)
        if why:
            break
    assert counts.trial.calls + counts.in_force.calls < 400
