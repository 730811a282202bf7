"""How many requests somebody may send: each key and each person has a pace of its own."""

from __future__ import annotations

import pytest

from routing_engine.web.pace import Paces
from routing_engine.web.requests import ApiError


def refused(paces: Paces, who: str, count: int, per_second: float = 2.0) -> list[str]:
    """How long those were told to wait that were too many."""
    found: list[str] = []
    for _ in range(count):
        try:
            paces.take(who, per_second)
        except ApiError as error:
            found.append(f"{error.status}: {error.headers['Retry-After']}")
    return found


def test_a_burst_is_taken_and_then_so_many_a_second() -> None:
    now = [100.0]
    paces = Paces(lambda: now[0])
    assert refused(paces, "key:a", 11) == ["429: 1"]
    now[0] += 1
    assert len(refused(paces, "key:a", 3)) == 1
    now[0] += 1000
    assert len(refused(paces, "key:a", 11)) == 1


def test_nobody_pays_for_another_one() -> None:
    paces = Paces(lambda: 100.0)
    assert refused(paces, "key:a", 20)
    assert refused(paces, "key:b", 10) == []


def test_who_is_refused_is_not_punished_for_asking_again() -> None:
    now = [100.0]
    paces = Paces(lambda: now[0])
    refused(paces, "key:a", 1000)
    now[0] += 0.5
    assert refused(paces, "key:a", 1) == []


@pytest.mark.parametrize(("per_second", "wait"), [(0.2, "5"), (1.0, "1"), (1000.0, "1")])
def test_it_is_said_how_long_to_wait(per_second: float, wait: str) -> None:
    paces = Paces(lambda: 100.0)
    assert refused(paces, "key:a", round(per_second * 5) + 1, per_second) == [f"429: {wait}"]
