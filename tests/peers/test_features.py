"""What an example cannot say of a peer's feature: what is heard, in which order, and what is asked for."""

from __future__ import annotations

import pytest

from routing_engine.core.asks import Collect, Find, Play, Prefetch, Switch
from routing_engine.core.destinations import PROFILES, variables
from routing_engine.core.model import Spoken
from tests.core.build import Told

from .site import configuration, play

pytestmark = pytest.mark.io


def set_by(told: Told) -> dict[str, str]:
    """The dialplan variables of a decision."""
    return dict(variables(told.decision, "id", PROFILES["plain"]))


def test_04_a_route_goes_on_with_another_and_never_for_ever() -> None:
    told = play("04-another-route", "the other route decides, by its own source")
    assert (told.played, told.decision.route) == (["greeting-welcome"], "04-sales")
    ring = play("04-ring", "after eight routes the default is taken")
    assert ring.steps[-1].startswith("route: 8 routes were passed")


def test_06_the_callers_number_decides_before_anything_is_played() -> None:
    assert play("06-by-caller", "a prefix").asks == []
    asked = play("06-by-caller", "the others are asked").asks
    assert [type(ask) for ask in asked] == [Play, Collect]


def test_07_the_instruction_plays_and_a_key_may_end_it() -> None:
    (ask,) = play("07-instruction", "everybody hears it").asks
    assert ask == Play(("greeting-welcome", "greeting-support"), barge_in=True)


def test_08_each_input_is_asked_for_under_its_own_name() -> None:
    told = play("08-two-inputs", "the second has its own three attempts")
    asked = [ask.input.name for ask in told.asks if isinstance(ask, Collect)]
    assert asked == ["customer", "contract", "contract", "contract"]
    assert told.values == ["123456"]


def test_08_an_input_that_is_left_out_costs_one_prompt() -> None:
    told = play("08-optional-input", "waited")
    assert len(told.prompts) == 1
    assert told.searched == ["customers by telephone"]


def test_09_after_three_attempts_no_source_is_asked() -> None:
    told = play("09-three-attempts", "a fourth is not given")
    assert len(told.prompts) == 3
    assert told.searched == []
    assert told.played == ["crm_routing-no-match"]


def test_10_the_channel_is_told_what_ends_the_input() -> None:
    (ask,) = (ask for ask in play("10-what-is-typed", "the most there can be").asks if isinstance(ask, Collect))
    one = ask.input
    assert (one.min, one.max, one.terminator) == (6, 8, "*")
    assert (one.first_digit_timeout_s, one.inter_digit_timeout_s) == (8, 2)


def test_11_each_failed_attempt_is_heard() -> None:
    told = play("11-failed-input", "wrong twice")
    assert told.prompts == [("enter-customer-number",), ("invalid-number", "enter-customer-number")]
    assert told.played == ["no-luck", "crm_routing-sorry"]


def test_12_what_is_typed_during_the_greeting_is_not_lost() -> None:
    told = play("12-type-ahead", "the new ones have five", ahead="5")
    (ask,) = (ask for ask in told.asks if isinstance(ask, Collect))
    assert (ask.typed, ask.input.accept_early) == ("5", True)


def test_14_sensitive_digits_stand_in_no_trail() -> None:
    told = play("14-sensitive", "wrong")
    assert "4711" not in repr(told.decision)
    assert "rule the PIN is right: input.pin is not what the rule asks" in told.steps
    assert "pin, try 1 of 3: typed ****" in told.steps


@pytest.mark.parametrize(
    ("route", "example", "languages"),
    [
        ("15-language-by-did", "Vienna", ["de"]),
        ("15-language-by-country", "from elsewhere", []),
        ("15-language-by-key", "German", ["de"]),
        ("15-language-by-record", "German", ["de"]),
        ("15-language-by-record", "nonsense in the record does no harm", []),
    ],
)
def test_15_the_language_changes_before_what_is_played_in_it(route: str, example: str, languages: list[str]) -> None:
    told = play(route, example)
    assert told.languages == languages
    kinds = [type(ask) for ask in told.asks]
    assert kinds[-1] in (Play, Collect)
    assert (Switch in kinds[:-1]) is bool(languages)


def test_16_values_are_said_as_what_they_are() -> None:
    assert play("16-values", "everything is said").played == [
        "custom/status-shipped",
        Spoken("letters", "AB12"),
        Spoken("number", "2"),
        Spoken("date", "2026-03-28T17:30:00+01:00"),
        Spoken("time", "2026-03-28T17:30:00+01:00"),
        Spoken("digits", "0042"),
        Spoken("speech", "Good morning Anna."),
    ]


def test_16_a_value_that_is_missing_is_left_out_and_the_rest_is_said() -> None:
    told = play("16-values", "what is missing is left out")
    assert told.played == ["custom/status-open", Spoken("speech", "Good morning .")]


def test_17_sources_are_asked_in_order_until_one_has_a_record() -> None:
    assert play("17-in-order", "the first").searched == ["customers"]
    assert play("17-in-order", "the second").searched == ["customers", "phone book"]
    assert play("17-in-order", "a record without a rule ends the search too").searched == ["customers"]


def test_18_the_same_connection_is_asked_for_two_models() -> None:
    asked = [ask.source for ask in play("18-two-models", "neither").asks if isinstance(ask, Find)]
    assert [(one.integration, one.model) for one in asked] == [("crm", "contact"), ("crm", "lead")]


def test_19_each_source_is_asked_by_its_own_value() -> None:
    assert play("19-search-by", "a variable").values == ["123456", "+12025550143", "T-77"]
    assert play("19-search-by", "a hidden number is not searched by").values == ["123456"]


def test_27_a_source_has_a_time_of_its_own_within_the_calls() -> None:
    route = configuration().routes["27-time"]
    assert (route.deadline_s, route.sources[0].timeout_s) == (2, 1)
    assert (route.filler.after_s, route.filler.kind, route.filler.name) == (0.5, "sound", "one-moment")


def test_28_down_is_told_apart_from_no_record() -> None:
    told = play("28-when-down", "a way of its own")
    assert (told.decision.reason, told.played) == ("source_down", ["crm_routing-sorry"])
    assert play("28-when-down", "nobody knows the caller").decision.reason == "no_record"


def test_32_the_menu_is_made_of_the_records() -> None:
    told = play("32-ask", "the second is chosen")
    assert told.prompts == [
        (
            "choose-account",
            *("choose-for", Spoken("speech", "Acme"), "choose-press", Spoken("digits", "1")),
            *("choose-for", Spoken("speech", "Household"), "choose-press", Spoken("digits", "2")),
        )
    ]
    assert play("32-ask", "one record needs no question").prompts == []


@pytest.mark.parametrize(
    ("route", "example", "early", "in_turn"),
    [
        ("34-certain", "nobody", ["customers"], ["leads"]),
        ("34-ahead", "both know the caller", ["by telephone", "leads", "by number"], []),
    ],
)
def test_34_what_is_asked_early_is_not_asked_again(
    route: str, example: str, early: list[str], in_turn: list[str]
) -> None:
    told = play(route, example)
    assert [find.source.name for ask in told.asks if isinstance(ask, Prefetch) for find in ask.finds] == early
    assert isinstance(told.asks[0], Prefetch)
    assert told.searched == in_turn


def test_35_a_hidden_caller_is_asked_for_nothing_and_nobody_is_asked_about_them() -> None:
    told = play("35-hidden", "hidden")
    assert (told.searched, told.played) == ([], ["greeting-welcome"])


def test_36_every_rule_that_does_not_hold_says_why() -> None:
    told = play("36-first-match", "only the second")
    assert "rule gold and rich: balance is 999: it is not at least 1000" in told.steps


def test_42_live_state_is_looked_at_once_and_only_as_far_as_needed() -> None:
    assert play("42-live-state", "free").observed == ["device.201"]
    told = play("42-live-state", "what cannot be told holds for no rule")
    assert told.observed == ["device.201", *(f"queue.support.{what}" for what in ("free", "waiting", "members"))]
    assert "rule nobody is there: queue.support.members is not known" in told.steps


def test_46_the_same_caller_is_always_on_the_same_side() -> None:
    first, again = (play("46-share", "one of the fifth").steps for _ in range(2))
    assert first == again == ["rule the trial: matched"]


def test_47_a_rule_that_sleeps_says_so() -> None:
    told = play("47-for-people", "on the day after")
    assert told.steps[:2] == [
        "rule the strike: disabled",
        "rule the christmas line: expired: it held until 2030-12-31 23:59",
    ]


def test_49_the_sound_plays_to_its_end_before_the_call_goes_on() -> None:
    (_, ask) = play("49-sound-before", "gold").asks
    assert ask == Play(("crm_routing-gold",), barge_in=False)


@pytest.mark.parametrize(
    ("example", "why"),
    [
        ("two teams", "destination queue: refused: 'team' holds a comma, which no target may get from a value"),
        ("no team", "destination queue: refused: queue has no target"),
    ],
)
def test_51_a_bad_value_is_named_and_the_other_way_is_taken(example: str, why: str) -> None:
    told = play("51-from-a-field", example)
    assert why in told.steps
    assert told.decision.reason == "matched"


def test_52_the_dialplan_gets_the_rest_of_the_chain_with_its_ringing_times() -> None:
    told = play("52-chain", "the owner is there; the others when nobody answers, in the end the default")
    given = set_by(told)
    assert (given["ROUTE_TARGET"], given["ROUTE_RING_S"]) == ("201", "15")
    assert [entry.rsplit(":", 3)[0] for entry in given["ROUTE_CHAIN"].split("&")] == [
        "extension:202::10",
        "queue:sales:5:",
        "voicemail:sales::",
    ]


def test_52_who_cannot_be_reached_is_named() -> None:
    told = play("52-chain", "neither is there")
    assert "destination extension 201: not reachable: unavailable" in told.steps
    assert "destination extension 202: not reachable: busy" in told.steps


def test_53_the_last_agent_is_rung_as_an_extension() -> None:
    told = play("53-last-agent", "three days ago")
    assert (set_by(told)["ROUTE_KIND"], set_by(told)["ROUTE_TARGET"]) == ("extension", "205")
    old = play("53-last-agent", "too long ago")
    assert "destination last_agent: refused: the caller spoke to nobody within 7 days" in old.steps


def test_54_every_side_effect_reaches_the_dialplan() -> None:
    told = play("54-side-effects", "gold")
    assert (
        set_by(told).items()
        >= {
            "CALLERID(name)": "ACME - Anna",
            "CALLERID(num)": "+12025550143",
            "CHANNEL(language)": "de",
            "CHANNEL(musicclass)": "jazz",
            "CHANNEL(accountcode)": "vip",
            "ROUTE_ALERT_INFO": "ring-loud",
            "ROUTE_RECORD": "true",
            "__ROUTE_HEADER_1": "X-Customer: 7",
            "CRM_ID": "7",
            "__TIER": "gold",
            "QUEUE_PRIO": "10",
        }.items()
    )
    assert play("54-side-effects", "silver gets none of it").decision.sets == ()


def test_55_the_agent_is_told_who_is_coming_and_why() -> None:
    given = set_by(play("55-announce", "gold"))
    assert given["ROUTE_ANNOUNCE"] == "agent-gold"
    assert given["CALLERID(name)"] == "GOLD Anna"
    assert given["__ROUTE_HEADER_1"] == "X-Reason: gold, 2 open invoices"


def test_56_who_is_to_be_called_back_is_in_the_target() -> None:
    assert set_by(play("56-callback", "a long wait"))["ROUTE_TARGET"] == "+436641234567"
