"""The bars of the house that hold already; those that are still broken are printed by `python -m tests.house`."""

from __future__ import annotations

import pytest

from .bars import Bar, Room, bars_of

pytestmark = pytest.mark.io

#: What does not hold yet, by folder. A bar leaves this list when it holds, and never comes back.
BROKEN = {
    "routing_engine": set[str](),
    "rig": set[str](),
    "tests": set[str](),
    ".": set[str](),
}
STRICT = [
    pytest.param(under, bar, id=f"{under}: {bar.name}")
    for under, broken in BROKEN.items()
    for bar in bars_of(under)
    if bar.name not in broken
]


@pytest.mark.parametrize(("under", "bar"), STRICT)
def test_the_bar_holds(under: str, bar: Bar) -> None:
    room = Room.at(under)
    found = bar.measure(room)
    assert bar.allows(found), "\n".join([f"{found}, bar {bar.limit}", *map(str, bar.places(room))])


def test_every_bar_that_is_said_to_be_broken_exists() -> None:
    assert all(broken <= {bar.name for bar in bars_of(under)} for under, broken in BROKEN.items())
