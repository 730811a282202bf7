"""What is counted of calls, look-ups, texts and configurations, and what never becomes a label."""

from __future__ import annotations

import time

import pytest

from routing_engine.core.events import CallRouted, LookedUp
from routing_engine.core.model import Caller, Decision
from routing_engine.metrics.meter import MeasuredSpeech
from routing_engine.metrics.readings import Readings
from routing_engine.metrics.table import METRICS, UNKNOWN_ROUTE, WORDS

from .scene import ANNA, READINGS, abandoned, meter, routed, value


def looked_up(outcome="found", took_s=0.08, **more) -> LookedUp:
    return LookedUp("crm", "customers by number", "contact", outcome, took_s, **more)


def all_families(of) -> dict[str, tuple[str, set[str]]]:
    """Every family as it is scraped: kind and labels."""
    found = {}
    for family in of.registry.collect():
        ending = {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = {label for one in family.samples for label in one.labels} - {"le"}
        found[family.name + ending] = (family.type, labels)
    return {name: about for name, about in found.items() if name.startswith("routing_engine_")}


def busy():
    """A meter of which every metric has a sample."""
    found = meter()
    found.publish(routed(sounds_missing=1, early=(("crm", "used"),)))
    found.publish(abandoned(texts_unsaid=2))
    found.looked_up(looked_up())
    found.looked_up(looked_up(origin="cache", age_s=30.0))
    found.spoke(True, 0.2)
    return found


def test_the_table_names_every_metric_with_its_kind_and_labels():
    assert all_families(busy()) == {name: (one.kind, set(one.labels)) for name, one in METRICS.items()}


def test_a_call_is_counted_by_route_and_reason():
    found = meter()
    found.publish(routed())
    found.publish(routed(reason="no_rule"))
    found.publish(routed())
    assert value(found, "calls_total", route="support", reason="matched") == 2
    assert value(found, "calls_total", route="support", reason="no_rule") == 1


def test_waiting_and_silence_of_a_call_are_told_in_seconds():
    found = meter()
    found.publish(routed(took_ms=2500, waited_s=1.2, silence_s=0.7))
    assert value(found, "call_duration_seconds_sum", route="support") == 2.5
    assert value(found, "caller_waited_seconds_sum", route="support") == 1.2
    assert value(found, "caller_silence_seconds_bucket", route="support", le="0.7") == 1
    assert value(found, "caller_silence_seconds_bucket", route="support", le="0.5") == 0


def test_a_caller_who_gave_up_is_counted_with_what_he_bore():
    found = meter()
    found.publish(abandoned(silence_s=3.1))
    assert value(found, "calls_abandoned_total", route="support", cause="hung_up") == 1
    assert value(found, "caller_silence_seconds_sum", route="support") == 3.1


def test_prompts_that_were_not_heard_are_counted_by_what_they_were():
    found = meter()
    found.publish(routed(sounds_missing=2, texts_unsaid=1))
    assert value(found, "prompts_missing_total", route="support", kind="sound") == 2
    assert value(found, "prompts_missing_total", route="support", kind="text") == 1


def test_early_look_ups_are_counted_by_what_became_of_them():
    found = meter()
    found.publish(routed(early=(("crm", "used"), ("erp", "wasted"))))
    assert value(found, "early_lookups_total", integration="crm", fate="used") == 1
    assert value(found, "early_lookups_total", integration="erp", fate="wasted") == 1


@pytest.mark.parametrize("outcome", ["found", "none", "down", "throttled"])
def test_a_system_that_was_asked_is_timed(outcome):
    found = meter()
    found.looked_up(looked_up(outcome))
    labels = {"integration": "crm", "outcome": outcome, "origin": "live", "purpose": "call"}
    assert value(found, "lookups_total", **labels) == 1
    assert value(found, "lookup_duration_seconds_sum", integration="crm") == 0.08


@pytest.mark.parametrize("event", [looked_up("held"), looked_up("dropped"), looked_up(origin="cache", age_s=30)])
def test_a_system_that_did_not_answer_us_is_not_timed(event):
    found = meter()
    found.looked_up(event)
    assert value(found, "lookup_duration_seconds_count", integration="crm") is None


def test_the_age_of_an_answer_out_of_the_cache_is_told():
    found = meter()
    found.looked_up(looked_up(origin="snapshot", age_s=500.0))
    assert value(found, "cached_answer_age_seconds_sum", origin="snapshot") == 500


def test_routes_that_the_configuration_never_had_share_one_series():
    found = meter()
    for number in range(1000):
        found.publish(routed(f"attack-{number}", reason="error"))
    assert value(found, "calls_total", route=UNKNOWN_ROUTE, reason="error") == 1000
    assert {
        one.labels["route"] for family in found.registry.collect() for one in family.samples if "route" in one.labels
    } == {"support", "sales", UNKNOWN_ROUTE}


def test_a_route_that_a_reload_removed_keeps_its_series():
    found = meter()
    found.took("another", ["sales"], ["crm"])
    found.publish(routed("support"))
    assert value(found, "calls_total", route="support", reason="matched") == 1


def test_health_checks_are_no_calls():
    found = meter()
    found.publish(CallRouted(Caller(None), Decision("healthcheck-x", "", "error", None, failed=True), 1.0))
    assert value(found, "calls_total", route=UNKNOWN_ROUTE, reason="error") == 0


def test_nothing_of_a_caller_is_in_a_scrape():
    labels = str([one.labels for family in busy().registry.collect() for one in family.samples])
    assert not [text for text in ("664", "217", "Anna", "Huber", ANNA.call_id) if text in labels]


def test_what_alarms_look_at_is_there_before_it_happens():
    found = meter()
    for reason in WORDS["reason"]:
        assert value(found, "calls_total", route="support", reason=reason) == 0
    assert value(found, "lookups_total", integration="crm", outcome="down", origin="live", purpose="call") == 0
    assert value(found, "errors_total") == 0


def test_labels_with_few_values_have_no_others():
    seen = [
        (label, text)
        for family in busy().registry.collect()
        for one in family.samples
        for label, text in one.labels.items()
        if label in WORDS
    ]
    assert seen
    assert [(label, text) for label, text in seen if text not in WORDS[label]] == []


def test_states_are_read_at_the_scrape():
    calls = [1]
    found = meter(Readings(calls=lambda: calls[0]))
    assert value(found, "calls_in_progress") == 1
    calls[0] = 5
    assert value(found, "calls_in_progress") == 5


def test_sources_breakers_and_the_journal_tell_their_state():
    found = meter(READINGS)
    assert value(found, "source_down", integration="crm", model="contact") == 1
    assert value(found, "source_down", integration="crm", model="account") == 0
    assert value(found, "breaker_open", integration="crm") == 1
    assert (value(found, "journal_waiting"), value(found, "journal_lost_total"), value(found, "journal_down")) == (
        7,
        1,
        1,
    )


def test_a_site_without_a_journal_has_no_metrics_of_it():
    assert value(meter(Readings()), "journal_waiting") is None


def test_a_reload_shows_the_revision_and_one_that_is_refused_raises_a_flag():
    found = meter()
    found.refused()
    assert value(found, "configuration_refused") == 1
    found.took("second", ["support"], ["crm"])
    assert value(found, "configuration_refused") == 0
    assert value(found, "configuration_info", revision="second") == 1
    assert value(found, "configuration_info", revision="9bc58236f2cc") is None
    assert value(found, "configuration_loads_total", accepted="yes") == 2
    assert value(found, "configuration_loads_total", accepted="no") == 1


def test_faults_of_ours_are_counted():
    found = meter()
    found.failed()
    assert value(found, "errors_total") == 1


class _Voice:
    def __init__(self, name: str | None) -> None:
        self._name = name

    async def sound(self, text: str, language: str) -> str | None:
        return self._name


@pytest.mark.parametrize(("name", "said"), [("speech/1", "yes"), (None, "no")])
async def test_texts_are_counted_and_timed_around_whatever_speaks(name, said):
    found, clock = meter(), iter([10.0, 10.4])
    assert await MeasuredSpeech(_Voice(name), found, lambda: next(clock)).sound("hello", "en") == name
    assert value(found, "texts_total", said=said) == 1
    assert value(found, "speech_duration_seconds_sum") == pytest.approx(0.4)


def test_a_call_with_two_look_ups_costs_a_few_microseconds():
    found, call, look_up = meter(), routed(), looked_up()
    found.publish(call)
    began = time.perf_counter()
    for _ in range(2000):
        found.publish(call)
        found.looked_up(look_up)
        found.looked_up(look_up)
    assert (time.perf_counter() - began) / 2000 < 100e-6  # measured: 7; a machine of a build may be slow
