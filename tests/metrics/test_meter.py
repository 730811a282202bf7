"""What is counted of calls, look-ups, texts and configurations, and what never becomes a label."""

from __future__ import annotations

import pytest

from routing_engine.core.events import ConfigurationRefused, EngineFault, LookedUp, Reading, TextSpoken
from routing_engine.metrics.table import METRICS, UNKNOWN_ROUTE, WORDS

from .scene import ANNA, Counted, abandoned, routed, taken

pytestmark = pytest.mark.io


def looked_up(outcome="found", took_s=0.08, **more) -> LookedUp:
    return LookedUp("crm", "customers by number", "contact", outcome, took_s, **more)


def all_families(of) -> dict[str, tuple[str, set[str]]]:
    """Every family as it is scraped: kind and labels."""
    found = {}
    for family in of.families():
        ending = {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = {label for one in family.samples for label in one.labels} - {"le"}
        found[family.name + ending] = (family.type, labels)
    return {name: about for name, about in found.items() if name.startswith("routing_engine_")}


async def busy() -> Counted:
    """A meter of which every metric has a sample."""
    found = Counted()
    found.publish(routed(sounds_missing=1, early=(("crm", "used"),)))
    found.publish(abandoned(texts_unsaid=2))
    found.publish(looked_up())
    found.publish(looked_up(origin="cache", age_s=30.0))
    found.publish(looked_up("down", who="vendor"))
    found.publish(TextSpoken(True, 0.2))
    await found.text()
    return found


async def test_the_table_names_every_metric_with_its_kind_and_labels():
    assert all_families(await busy()) == {name: (one.kind, set(one.labels)) for name, one in METRICS.items()}


async def test_a_look_up_that_failed_is_counted_by_who_must_act():
    found = Counted()
    found.publish(looked_up("down", who="vendor"))
    found.publish(looked_up("none"))
    assert await found.value("lookup_failures_total", integration="crm", who="vendor") == 1


async def test_a_call_is_counted_by_route_and_reason():
    found = Counted()
    found.publish(routed())
    found.publish(routed(reason="no_rule"))
    found.publish(routed())
    assert await found.value("calls_total", route="support", reason="matched") == 2
    assert await found.value("calls_total", route="support", reason="no_rule") == 1


async def test_waiting_and_silence_of_a_call_are_told_in_seconds():
    found = Counted()
    found.publish(routed(took_ms=2500, waited_s=1.2, silence_s=0.7))
    assert await found.value("call_duration_seconds_sum", route="support") == 2.5
    assert await found.value("caller_waited_seconds_sum", route="support") == 1.2
    assert await found.value("caller_silence_seconds_bucket", route="support", le="0.7") == 1
    assert await found.value("caller_silence_seconds_bucket", route="support", le="0.5") == 0


async def test_a_caller_who_gave_up_is_counted_with_what_he_bore():
    found = Counted()
    found.publish(abandoned(silence_s=3.1))
    assert await found.value("calls_abandoned_total", route="support", cause="hung_up") == 1
    assert await found.value("caller_silence_seconds_sum", route="support") == 3.1


async def test_prompts_that_were_not_heard_are_counted_by_what_they_were():
    found = Counted()
    found.publish(routed(sounds_missing=2, texts_unsaid=1))
    assert await found.value("prompts_missing_total", route="support", kind="sound") == 2
    assert await found.value("prompts_missing_total", route="support", kind="text") == 1


async def test_early_look_ups_are_counted_by_what_became_of_them():
    found = Counted()
    found.publish(routed(early=(("crm", "used"), ("erp", "wasted"))))
    assert await found.value("early_lookups_total", integration="crm", fate="used") == 1
    assert await found.value("early_lookups_total", integration="erp", fate="wasted") == 1


@pytest.mark.parametrize("outcome", ["found", "none", "down", "throttled"])
async def test_a_system_that_was_asked_is_timed(outcome):
    found = Counted()
    found.publish(looked_up(outcome))
    labels = {"integration": "crm", "outcome": outcome, "origin": "live", "purpose": "call"}
    assert await found.value("lookups_total", **labels) == 1
    assert await found.value("lookup_duration_seconds_sum", integration="crm") == 0.08


@pytest.mark.parametrize("event", [looked_up("skipped"), looked_up("dropped"), looked_up(origin="cache", age_s=30)])
async def test_a_system_that_did_not_answer_us_is_not_timed(event):
    found = Counted()
    found.publish(event)
    assert await found.value("lookup_duration_seconds_count", integration="crm") is None


async def test_the_age_of_an_answer_out_of_the_cache_is_told():
    found = Counted()
    found.publish(looked_up(origin="snapshot", age_s=500.0))
    assert await found.value("cached_answer_age_seconds_sum", origin="snapshot") == 500


async def test_routes_that_the_configuration_never_had_share_one_series():
    found = Counted()
    for number in range(1000):
        found.publish(routed(f"attack-{number}", reason="error"))
    assert await found.value("calls_total", route=UNKNOWN_ROUTE, reason="error") == 1000
    assert {one.labels["route"] for family in found.families() for one in family.samples if "route" in one.labels} == {
        "support",
        "sales",
        UNKNOWN_ROUTE,
    }


async def test_a_route_that_a_reload_removed_keeps_its_series():
    found = Counted()
    found.publish(taken("another", ["sales"]))
    found.publish(routed("support"))
    assert await found.value("calls_total", route="support", reason="matched") == 1


async def test_health_checks_are_no_calls():
    found = Counted()
    found.publish(routed("healthcheck-x", "error"))
    assert await found.value("calls_total", route=UNKNOWN_ROUTE, reason="error") == 0


async def test_nothing_of_a_caller_is_in_a_scrape():
    labels = str([one.labels for family in (await busy()).families() for one in family.samples])
    assert not [text for text in ("664", "217", "Anna", "Huber", ANNA.call_id) if text in labels]


async def test_what_alarms_look_at_is_there_before_it_happens():
    found = Counted()
    for reason in WORDS["reason"]:
        assert await found.value("calls_total", route="support", reason=reason) == 0
    assert await found.value("lookups_total", integration="crm", outcome="down", origin="live", purpose="call") == 0
    assert await found.value("errors_total") == 0


async def test_labels_with_few_values_have_no_others():
    seen = [
        (label, text)
        for family in (await busy()).families()
        for one in family.samples
        for label, text in one.labels.items()
        if label in WORDS
    ]
    assert seen
    assert [(label, text) for label, text in seen if text not in WORDS[label]] == []


async def test_states_are_read_at_the_scrape():
    calls = [1]
    found = Counted(lambda: [Reading("calls_in_progress", calls[0])])
    assert await found.value("calls_in_progress") == 1
    calls[0] = 5
    assert await found.value("calls_in_progress") == 5


async def test_sources_breakers_and_the_journal_tell_their_state():
    found = Counted()
    assert await found.value("source_down", integration="crm", model="contact") == 1
    assert await found.value("source_down", integration="crm", model="account") == 0
    assert await found.value("breaker_open", integration="crm") == 1
    assert [await found.value(f"journal_{one}") for one in ("waiting", "lost_total", "down")] == [7, 1, 1]


async def test_a_site_without_a_journal_has_no_metrics_of_it():
    assert await Counted(lambda: ()).value("journal_waiting") is None


async def test_a_reload_shows_the_revision_and_one_that_is_refused_raises_a_flag():
    found = Counted()
    found.publish(ConfigurationRefused())
    assert await found.value("configuration_refused") == 1
    found.publish(taken("second", ["support"]))
    assert await found.value("configuration_refused") == 0
    assert await found.value("configuration_info", revision="second") == 1
    assert await found.value("configuration_info", revision="9bc58236f2cc") is None
    assert await found.value("configuration_loads_total", accepted="yes") == 2
    assert await found.value("configuration_loads_total", accepted="no") == 1


async def test_faults_of_ours_are_counted():
    found = Counted()
    found.publish(EngineFault())
    assert await found.value("errors_total") == 1
