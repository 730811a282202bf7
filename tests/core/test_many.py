"""Several records: the one that is preferred, and the menu for the caller."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing_engine.core.asks import Collect, Found
from routing_engine.core.model import Destination, Menu, Prefer, Record, Spoken, Value

from .build import SALES, Told, converse, go, route, rule, say, source, when

ACME = Record({"id": "1", "name": "Acme", "tier": "silver"})
BETA = Record({"id": "2", "name": "Beta", "tier": "gold"})
GAMMA = Record({"id": "3", "tier": "gold"})
MANY = (ACME, BETA, GAMMA)
GOLDEN = Prefer(when("tier", "is", "gold"))
MENU = Menu((say("speech", "{name}"),), prompt=("several",))


def asked(menu: Menu | Prefer, *typed: str, found: tuple[Record, ...] = MANY) -> Told:
    return converse(route(source("c", SALES, when_many=menu)), typed=typed, found={"c": found})


# prefer


def test_the_first_that_is_preferred_is_taken() -> None:
    told = asked(GOLDEN)
    assert (told.decision.record, told.outcomes[0]) == (BETA, "3 records, taking the one that is preferred (number 2)")


def test_when_none_is_preferred_the_first_is_taken() -> None:
    told = asked(Prefer(when("tier", "is", "iron")))
    assert (told.decision.record, told.outcomes[0]) == (
        ACME,
        "3 records, taking the first: none is one of those preferred",
    )


def test_one_record_alone_needs_no_choice() -> None:
    assert asked(GOLDEN, found=(ACME,)).outcomes[0] == "1 record"
    assert asked(MENU, found=(ACME,)).prompts == []


# newest


@pytest.mark.parametrize(
    ("dates", "taken", "how"),
    [
        (("2026-11-01", "2026-11-03", "2026-11-02"), 1, "newest by seen"),
        (("03.11.2026", "2026-11-01", None), 1, "newest by seen (2 without a date that can be read)"),
        (("03.11.2026", 1784188800000, None), 0, "first: none has a date in 'seen' that can be read"),
    ],
)
def test_dates_that_cannot_be_read_are_named_when_the_newest_is_taken(
    dates: tuple[Value, ...], taken: int, how: str
) -> None:
    found = tuple(Record({"seen": date}) for date in dates)
    told = converse(route(source("c", SALES, newest_by="seen")), found={"c": found})
    assert (told.decision.record, told.outcomes[0]) == (found[taken], f"3 records, taking the {how}")


# ask


def test_the_menu_says_every_label_with_its_key() -> None:
    told = asked(MENU, "1", found=(ACME, BETA))
    assert told.prompts == [
        (
            "several",
            *("choose-for", Spoken("speech", "Acme"), "choose-press", Spoken("digits", "1")),
            *("choose-for", Spoken("speech", "Beta"), "choose-press", Spoken("digits", "2")),
        )
    ]


@pytest.mark.parametrize(("key", "record"), [("1", ACME), ("2", BETA)])
def test_the_key_chooses_the_record(key: str, record: Record) -> None:
    told = asked(MENU, key)
    assert (told.decision.record, told.decision.reason, told.decision.rule) == (record, "matched", "everybody")


def test_a_label_may_be_several_prompts_and_a_sound_alone() -> None:
    label = ("customer", say("digits", "{id}"))
    told = asked(replace(MENU, label=label, prompt=()), "1", found=(ACME, BETA))
    assert told.prompts[0][:5] == (
        "choose-for",
        "customer",
        Spoken("digits", "1"),
        "choose-press",
        Spoken("digits", "1"),
    )


def test_a_wrong_key_is_asked_again() -> None:
    told = asked(MENU, "9", "", "2")
    assert len(told.prompts) == 3
    assert told.decision.record == BETA


def test_one_key_is_one_digit_and_no_more() -> None:
    told = asked(MENU, "2")
    assert [ask.input.max for ask in told.asks if isinstance(ask, Collect)] == [1]


def test_no_choice_is_the_default() -> None:
    told = asked(MENU, "", "7", "*")
    assert (told.decision.reason, told.decision.source) == ("no_input", "c")
    assert told.decision.destination == Destination("ivr", "main")


def test_no_choice_may_have_a_way_of_its_own() -> None:
    told = asked(replace(MENU, otherwise=go("queue", "desk", "sorry")))
    assert (told.decision.reason, told.decision.destination) == ("no_input", Destination("queue", "desk"))


def test_no_more_than_at_most_are_offered() -> None:
    many = tuple(Record({"name": f"N{place}"}) for place in range(12))
    told = asked(replace(MENU, at_most=3), "4", "3", found=many)
    assert sum(isinstance(sound, Spoken) and sound.kind == "speech" for sound in told.prompts[0]) == 3
    assert told.decision.record == many[2]
    assert "source c: 12 records, asking the caller to choose of 3" in told.steps


def test_a_record_without_a_label_is_not_offered() -> None:
    told = asked(MENU, "3", "2", found=(ACME, GAMMA, BETA))
    assert [sound.text for sound in told.prompts[0] if isinstance(sound, Spoken)] == ["Acme", "1", "Beta", "2"]
    assert told.decision.record == BETA


def test_records_without_any_label_ask_nobody() -> None:
    told = asked(replace(MENU, otherwise=go("queue", "desk")), found=(GAMMA, GAMMA))
    assert (told.prompts, told.decision.destination) == ([], Destination("queue", "desk"))
    assert told.decision.reason == "no_input"


def test_a_hostile_label_is_said_as_text_or_not_at_all() -> None:
    evil = Record({"name": "\x00${SHELL(id)}\r\n"})
    assert asked(MENU, "1", found=(evil, BETA)).prompts[0][2] == Spoken("speech", "${SHELL(id)}")


def test_the_rules_of_the_source_run_on_the_chosen_record() -> None:
    golden = rule("gold", go("queue", "vip"), when("tier", "is", "gold"))
    told = converse(route(source("c", golden, SALES, when_many=MENU)), typed=["2"], found={"c": MANY})
    assert told.decision.rule == "gold"


def test_the_choice_is_no_input_of_the_route() -> None:
    act = rule("on", go("queue", "q"), when("input", "is_empty", True))
    assert converse(route(source("c", act, when_many=MENU)), typed=["2"], found={"c": MANY}).decision.rule == "on"


DATES = ("2026-01-01T10:00:00+14:00", "2026-01-01T09:00:00+00:00")


def test_the_newest_is_newest_on_the_same_clock() -> None:
    found = tuple(Record({"at": at}) for at in DATES)
    for records in (found, found[::-1]):
        told = converse(route(source("c", SALES, newest_by="at")), found={"c": records})
        assert told.decision.record == found[1]


def test_a_record_without_a_date_is_never_the_newest() -> None:
    found = (Record({"at": "never"}), Record({"at": "0001-01-02"}), Record({}))
    told = converse(route(source("c", SALES, newest_by="at")), found={"c": found})
    assert told.decision.record == found[1]


def test_a_way_of_its_own_for_several_records_names_the_source() -> None:
    told = converse(route(source("c", SALES, when_many=go("queue", "desk"))), found={"c": MANY})
    assert (told.decision.source, told.decision.reason) == ("c", "matched")
    assert told.outcomes[0] == "3 records, which have a destination of their own"


@pytest.mark.parametrize(
    ("records", "outcome"),
    [
        ((), "no record (2 more with another number than the caller's)"),
        ((ACME,), "1 record (2 more with another number than the caller's)"),
        ((ACME, BETA), "2 records (2 more with another number than the caller's), taking the first"),
    ],
)
def test_the_trail_counts_the_strangers_that_were_left_out(records: tuple[Record, ...], outcome: str) -> None:
    told = converse(route(source("c", SALES), default=go("queue", "q")), found={"c": Found(records, mismatches=2)})
    assert told.outcomes[0] == outcome
