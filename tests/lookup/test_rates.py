"""How many requests may begin in a time, a burst among them."""

from __future__ import annotations

import pytest

from routing_engine.lookup.rates import buckets_of
from routing_engine.settings.integration import RateLimits


def begun(limits: RateLimits, count: int) -> list[float]:
    """When so many requests begin that all come at once."""
    buckets = buckets_of(limits, 0.0)
    return [max(bucket.take(0.0) for bucket in buckets) for _ in range(count)]


@pytest.mark.parametrize(("most", "burst"), [(100, None), (100, 1), (100, 100), (100, 60), (7, 3), (1, None), (2, 9)])
def test_no_minute_has_more_requests_than_it_may(most: int, burst: int | None) -> None:
    starts = begun(RateLimits(per_minute=most, burst=burst), 3 * most)
    # Half a microsecond is a rounding of sums, and not a request.
    assert max(sum(at <= one < at + 60 - 5e-7 for one in starts) for at in starts) <= most


@pytest.mark.parametrize(
    ("limits", "at_once"),
    [
        (RateLimits(per_second=5), 5),
        (RateLimits(per_second=5, burst=1), 1),
        (RateLimits(per_minute=100), 25),
        (RateLimits(per_minute=100, burst=1), 1),
        (RateLimits(per_second=5, per_minute=100), 5),
    ],
)
def test_so_many_begin_at_once(limits: RateLimits, at_once: int) -> None:
    assert sum(one == 0 for one in begun(limits, 50)) == at_once


def test_requests_without_a_burst_are_spread_evenly() -> None:
    assert begun(RateLimits(per_minute=100, burst=1), 3) == pytest.approx([0, 0.6, 1.2])


def test_a_rest_fills_the_burst_and_no_more() -> None:
    (bucket,) = buckets_of(RateLimits(per_second=5, burst=2), 0.0)
    assert [bucket.take(100.0) for _ in range(3)] == [0, 0, pytest.approx(0.2)]


def test_processes_keep_limits_together_and_none_does_without() -> None:
    limits = RateLimits(at_a_time=10, per_second=6.0, per_minute=100, burst=9)
    assert limits.shared(3) == RateLimits(at_a_time=3, per_second=2.0, per_minute=33, burst=3)
    assert limits.shared(1) is limits
    assert RateLimits(at_a_time=1, per_minute=1).shared(4) == RateLimits(at_a_time=1, per_minute=1)
