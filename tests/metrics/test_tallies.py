"""What one process has counted is added to what another one has."""

from __future__ import annotations

from routing_engine.core.events import Reading
from routing_engine.metrics.meter import together
from routing_engine.metrics.tallies import Tallies


def counted() -> Tallies:
    tallies = Tallies()
    calls, durations = tallies.counter("calls_total"), tallies.histogram("call_duration_seconds")
    calls.add("support", "matched")
    calls.add("support", "matched", more=2)
    durations.observe(0.02, "support")
    durations.observe(400.0, "support")
    return tallies


def samples(of: Tallies) -> dict[str, float]:
    found = [one for family in of.collect() for one in family.samples]
    return {one.name.removeprefix("routing_engine_") + one.labels.get("le", ""): one.value for one in found}


def test_a_histogram_counts_in_each_bucket_those_below_it() -> None:
    found = samples(counted())
    assert [found[f"call_duration_seconds_bucket{le}"] for le in ("0.01", "0.025", "300.0", "+Inf")] == [0, 1, 1, 2]
    assert (found["call_duration_seconds_sum"], found["call_duration_seconds_count"]) == (400.02, 2)


def test_a_time_on_a_bound_belongs_below_it() -> None:
    tallies = Tallies()
    tallies.histogram("call_duration_seconds").observe(0.01, "support")
    assert samples(tallies)["call_duration_seconds_bucket0.01"] == 1


def test_what_was_handed_on_is_counted_once() -> None:
    page, worker = counted(), counted()
    page.add(worker.drain())
    page.add(worker.drain())
    assert (samples(page)["calls_total"], samples(page)["call_duration_seconds_count"]) == (6, 4)


def test_states_of_several_processes_are_added_up_or_the_most_of_them() -> None:
    told = [Reading("cache_entries", 3), Reading("breaker_open", 0, ("crm",))]
    told += [Reading("cache_entries", 4), Reading("breaker_open", 1, ("crm",)), Reading("breaker_open", 0, ("erp",))]
    assert {(one.metric, *one.labels): one.value for one in together(told)} == {
        ("cache_entries",): 7,
        ("breaker_open", "crm"): 1,
        ("breaker_open", "erp"): 0,
    }
