"""Every kind of destination: what it allows, what it refuses, and the variables the dialplan gets."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from routing_engine.core.destinations import (
    CAUSES,
    HEADER,
    KINDS,
    MAX_VALUE,
    PROFILES,
    SIDE_EFFECTS,
    WRITTEN,
    check_target,
    check_variable,
    clean_value,
    dialplan_location,
    say_destination,
    variables,
)
from routing_engine.core.model import Decision, Destination, Record

from .build import converse, go, route, rule, source, to

DIALPLAN = (Path(__file__).parents[2] / "dialplan" / "routing-engine.conf").read_text()

ALLOWED = [
    ("extension", "100", "100"),
    ("extension", " 100 ", "100"),
    ("extension", "+43664", "+43664"),
    ("extension", "*97", "*97"),
    ("extension", "anna.m-1", "anna.m-1"),
    ("queue", "vip", "vip"),
    ("queue", "vip_2-a", "vip_2-a"),
    ("ring_group", "600", "600"),
    ("ivr", "main", "main"),
    ("voicemail", "100", "100"),
    ("voicemail", "100@default", "100@default"),
    ("conference", "8000", "8000"),
    ("external", "+43 664 / 123-45 67", "+436641234567"),
    ("external", "(0664) 1234567", "06641234567"),
    ("announcement", "custom/closed", "custom/closed"),
    ("hangup", "busy", "17"),
    ("hangup", "Normal", "16"),
    ("hangup", "127", "127"),
    ("callback", "+43 664 1234567", "+436641234567"),
    ("route", "sales-2", "sales-2"),
    ("dialplan", "from-internal,100,1", "from-internal,100,1"),
    ("dialplan", "night,s,start", "night,s,start"),
]
REFUSED = [
    ("extension", "100&200"),
    ("extension", "100@from-trunk"),
    ("extension", "-1"),
    ("queue", "vip sales"),
    ("queue", "../vip"),
    ("ring_group", "*6"),
    ("ivr", "main menu"),
    ("voicemail", "100@a@b"),
    ("conference", "8000/x"),
    ("external", "1"),
    ("external", "anna"),
    ("external", "+1+2"),
    ("external", "1" * 25),
    ("announcement", "../../etc/passwd"),
    ("announcement", "a&b"),
    ("announcement", "/abs"),
    ("hangup", "0"),
    ("hangup", "128"),
    ("hangup", "²"),
    ("hangup", "later"),
    ("callback", "*21#"),
    ("route", "a"),
    ("route", "a/b"),
    ("dialplan", "a,b"),
    ("dialplan", "a,b,1,2"),
    ("dialplan", "a,b,-1"),
    ("dialplan", "a,b,n(x)"),
]
#: What no target may ever hold.
HOSTILE = [
    "a,b",
    "a|b",
    "a$b",
    "${SHELL(id)}",
    "$[1+1]",
    "a\nb",
    "a\r\nHANGUP",
    "a\0b",
    "a\tb",
    'a"b',
    "a'b",
    "a\\b",
    "a;b",
    "a&b",
    "a(b)",
    "a b",
    "a{b}",
    "a/../b",
    "é",
    "１００",
    "\u202e100",
    "\ud800",
    "9" * 65_536,
    "",
    "   ",
]


@pytest.mark.parametrize(("kind", "text", "target"), ALLOWED)
def test_allowed(kind: str, text: str, target: str) -> None:
    assert check_target(kind, text) == target


@pytest.mark.parametrize(("kind", "text"), REFUSED)
def test_refused(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{kind} cannot be '"):
        check_target(kind, text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", HOSTILE, ids=[repr(text[:12]) for text in HOSTILE])
def test_no_kind_takes_a_hostile_target(kind: str, text: str) -> None:
    with pytest.raises(ValueError) as refusal:
        check_target(kind, text)
    assert len(str(refusal.value)) < 250


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [*HOSTILE, ("a", "b"), None], ids=lambda value: repr(value)[:12])
def test_a_hostile_value_of_a_record_lands_on_the_default(kind: str, value: object) -> None:
    text = "ctx,{owner},1" if kind == "dialplan" else "{owner}"
    act = source("customers", rule("owner", go(kind, text)))
    decision = converse(route(act), found={"customers": Record({"owner": value})}).decision  # type: ignore[dict-item]
    assert (decision.destination, decision.reason) == (Destination("ivr", "main"), "error")


def test_a_value_cannot_move_a_call_to_another_context() -> None:
    act = source("customers", rule("owner", go("dialplan", "{where}")))
    told = converse(route(act), found={"customers": Record({"where": "from-internal,00431,1"})})
    assert told.outcomes[2] == "refused: 'where' holds a comma, which no target may get from a value"


def test_every_kind_is_in_the_tables_of_this_test() -> None:
    assert {kind for kind, *_ in ALLOWED} == {kind for kind, *_ in REFUSED} == set(KINDS)


@pytest.mark.parametrize(
    ("trait", "kinds"),
    [
        ("rings", {"extension", "queue", "ring_group", "external", "last_agent"}),
        ("has_priority", {"queue"}),
        ("is_number", {"external", "callback"}),
        ("reach", {"extension", "queue"}),
        ("bare", {"hangup", "callback"}),
        ("fixed", {"route", "dialplan"}),
        ("is_route", {"route"}),
        ("is_looked_up", {"last_agent"}),
    ],
)
def test_the_kinds_that_have_a_trait(trait: str, kinds: set[str]) -> None:
    assert {kind for kind, row in WRITTEN.items() if getattr(row, trait)} == kinds


def test_a_destination_is_said_with_all_that_it_has() -> None:
    assert say_destination(Destination("ring_group", "600", 3, 20)) == "ring group 600, priority 3, for 20 s"
    assert say_destination(Destination("external", "+4319876543")) == "external +4319876543"
    assert say_destination(Destination("external", "+4319876543"), plain=False) == "external ...543"
    assert say_destination(Destination("gone", "x")) == "gone x"  # of an old journal
    assert say_destination(None) == ""


def test_a_long_target_is_cut_in_the_refusal() -> None:
    with pytest.raises(ValueError, match=f"^queue cannot be '{'!' * 37}[.]{{3}}'"):
        check_target("queue", "!" * 41)
    with pytest.raises(ValueError, match=f"^queue cannot be '{'!' * 40}'"):
        check_target("queue", "!" * 40)


def test_else_branches_are_tried_in_order() -> None:
    last = to("queue", "sales", priority=5)
    act = go("extension", "{nobody}", otherwise=to("external", "{nobody}", last))
    told = converse(route(source("customers", rule("owner", act))), found={"customers": Record({})})
    assert told.decision.destination == Destination("queue", "sales", 5)
    assert [step.step for step in told.decision.trail][2:] == ["destination extension", "destination external"]


def test_the_names_of_causes_are_causes() -> None:
    assert all(check_target("hangup", name) == str(cause) for name, cause in CAUSES.items())


# The dialplan's side


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_covers_every_kind_that_has_a_place(profile: str) -> None:
    assert set(PROFILES[profile]) == set(KINDS) - {"route", "dialplan"}


@pytest.mark.parametrize("kind", PROFILES["plain"])
def test_every_kind_has_its_context_in_the_dialplan(kind: str) -> None:
    context, exten, priority = dialplan_location(Destination(kind, "T"), PROFILES["plain"])
    assert f"\n[{context}]\n" in DIALPLAN
    assert (exten, priority) == ("T", "1")


def test_the_dialplan_tests_the_status_after_each_engine() -> None:
    asked = [part for part in re.split(r"AGI\(agi://", DIALPLAN)[1:] if "${ROUTING_ENGINE_AT}" in part]
    assert len(asked) == 2
    assert all('"${ROUTE_STATUS}" != ""' in part.split("Set(ROUTING_ENGINE_NEXT")[0] for part in asked)


def test_the_dialplan_uses_no_variable_of_the_engine_that_is_not_set() -> None:
    sets = tuple((name, "x") for name in (*SIDE_EFFECTS, "header.X-CRM"))
    decision = replace(DECISION, destination=Destination("queue", "vip", 9, 20), sets=sets, chain=CHAIN)
    known = {name.lstrip("_") for name, _ in variables(decision, "1", PROFILES["plain"])}
    assert set(re.findall(r"\bROUTE_[A-Z_]+1?", DIALPLAN)) - {HEADER} <= known


DECISION = Decision(
    "support",
    "r1",
    "matched",
    Destination("queue", "vip", 10),
    rule="gold customers",
    record=Record({}, "7", "https://crm/7"),
    sets=(("caller_name", "Anna"), ("CRM_ID", "7")),
)
CHAIN = (Destination("extension", "201", ring_s=15), Destination("queue", "sales", 5), Destination("route", "night"))


def test_the_variables_of_a_decision_in_their_order() -> None:
    assert variables(DECISION, "1795.1", PROFILES["plain"]) == [
        ("CALLERID(name)", "Anna"),
        ("CRM_ID", "7"),
        ("ROUTE_REASON", "matched"),
        ("ROUTE_NAME", "support"),
        ("ROUTE_RULE", "gold customers"),
        ("ROUTE_REVISION", "r1"),
        ("ROUTE_CALL_ID", "1795.1"),
        ("ROUTE_RECORD_URL", "https://crm/7"),
        ("ROUTE_KIND", "queue"),
        ("ROUTE_TARGET", "vip"),
        ("QUEUE_PRIO", "10"),
        ("ROUTE_CONTEXT", "routing-engine-queue"),
        ("ROUTE_EXTEN", "vip"),
        ("ROUTE_PRIORITY", "1"),
        ("ROUTE_STATUS", "OK"),
    ]


@pytest.mark.parametrize(
    ("destination", "where"),
    [
        (Destination("extension", "100"), ("from-did-direct", "100", "1")),
        (Destination("queue", "600"), ("ext-queues", "600", "1")),
        (Destination("ivr", "3"), ("ivr-3", "s", "1")),
        (Destination("voicemail", "100"), ("ext-local", "vmu100", "1")),
        (Destination("dialplan", "night,s,start"), ("night", "s", "start")),
    ],
)
def test_places_in_freepbx(destination: Destination, where: tuple[str, str, str]) -> None:
    assert dialplan_location(destination, PROFILES["freepbx"]) == where


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("kind", "text", "target"), ALLOWED)
def test_every_allowed_target_has_one_place(profile: str, kind: str, text: str, target: str) -> None:
    if kind != "route":
        assert all(dialplan_location(Destination(kind, target), PROFILES[profile]))


def test_nowhere_to_go_sets_no_kind_and_the_status_last() -> None:
    nowhere = variables(replace(DECISION, destination=None, failed=True), "1", PROFILES["plain"])
    assert "ROUTE_KIND" not in dict(nowhere)
    assert nowhere[-1] == ("ROUTE_STATUS", "FALLBACK")


def test_every_side_effect_of_the_engine_reaches_its_function() -> None:
    sets = tuple((name, "x") for name in SIDE_EFFECTS)
    found = variables(replace(DECISION, sets=sets), "1", PROFILES["plain"])
    assert [name for name, _ in found[: len(sets)]] == [row.variable for row in SIDE_EFFECTS.values()]


def told(decision: Decision, profile: str = "plain") -> dict[str, str]:
    return dict(variables(decision, "1", PROFILES[profile]))


def test_a_chain_tells_where_to_go_on_and_how_long_to_ring() -> None:
    entries = told(replace(DECISION, chain=CHAIN))["ROUTE_CHAIN"].split("&")
    assert entries == [
        "extension:201::15:routing-engine-extension:201:1",
        "queue:sales:5::routing-engine-queue:sales:1",
        "route:night:::routing-engine:night:1",
    ]
    assert told(replace(DECISION, destination=CHAIN[0]))["ROUTE_RING_S"] == "15"
    assert {"ROUTE_CHAIN", "ROUTE_RING_S"}.isdisjoint(told(DECISION))


def test_a_chain_that_is_too_long_keeps_its_end() -> None:
    chain = tuple(Destination("queue", f"{number:080}") for number in range(20))
    text = told(replace(DECISION, chain=chain))["ROUTE_CHAIN"]
    assert (len(text) <= MAX_VALUE, text.split("&")[-1].split(":")[1]) == (True, chain[-1].target)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mark", ":&")
def test_nothing_that_divides_a_chain_stands_in_a_kind_or_its_target(kind: str, mark: str) -> None:
    shapes = ("1{}1", "11{}", "{}11", "a{}a,a,1", "a,a{}a,1", "a,a,a{}a")
    assert mark not in kind
    for shape in shapes:
        with pytest.raises(ValueError):
            check_target(kind, shape.format(mark))


@pytest.mark.parametrize("profile", PROFILES)
def test_nothing_that_divides_a_chain_stands_in_a_place(profile: str) -> None:
    assert not set(":&") & set("".join(PROFILES[profile].values()))


def test_headers_are_numbered_and_inherited_by_the_channels_that_are_rung() -> None:
    sets = (("header.X-CRM", "7; a,b"), ("header.X-NOTE", "  "), ("header.Subject", "Anna: gold"))
    found = variables(replace(DECISION, sets=sets), "1", PROFILES["plain"])
    assert found[:2] == [("__ROUTE_HEADER_1", "X-CRM: 7; a,b"), ("__ROUTE_HEADER_2", "Subject: Anna: gold")]
    assert not found[2][0].startswith("__")


@pytest.mark.parametrize("name", ["custom/vip-caller", "agent-gold", "a.b"])
def test_a_sound_is_announced_to_the_agent(name: str) -> None:
    assert told(replace(DECISION, sets=(("announce", name),)))["ROUTE_ANNOUNCE"] == name


@pytest.mark.parametrize("name", ["", "a,b", "a&b", "../x", "/etc/x", "a)U(evil", "http://x/y", "a b"])
def test_what_is_no_sound_is_not_announced_to_the_agent(name: str) -> None:
    assert "ROUTE_ANNOUNCE" not in told(replace(DECISION, sets=(("announce", name),)))


@pytest.mark.parametrize("name", ["header.X-CRM-Id", "header.User-to-User", "header.Call-Info", "header.Subject"])
def test_headers_that_a_rule_may_set(name: str) -> None:
    check_variable(name)


@pytest.mark.parametrize("name", ["header.", "header.X-", "header.Via", "header.X-A:b", "header.X-A b", "header.X-A\n"])
def test_headers_that_no_rule_may_set(name: str) -> None:
    with pytest.raises(ValueError):
        check_variable(name)


@pytest.mark.parametrize("url", ["https://crm/" + "x" * 70_000, "https://crm/7\nHANGUP", "https://crm/$${X}"])
def test_a_hostile_record_url_becomes_a_harmless_value(url: str) -> None:
    value = dict(variables(replace(DECISION, record=Record({}, "7", url)), "1", PROFILES["plain"]))["ROUTE_RECORD_URL"]
    assert len(value) <= 1000
    assert "\n" not in value
    assert "${" not in value


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ('Müller, "Anna" € 😀', 'Müller, "Anna" € 😀'),
        ("a\r\nb\0c\x7fd\x85e\u2028f", "a  b c d e f"),
        ("${X} $[1] $${Y} $$$[2]", "{X} [1] {Y} [2]"),
        ("$\0{X}", "$ {X}"),
        ("5 $ each", "5 $ each"),
        ("\ud800", " "),
    ],
)
def test_values_are_cleaned(text: str, clean: str) -> None:
    assert clean_value(text) == clean


@pytest.mark.parametrize("name", ["CRM_ID", "_CRM_ID", "__CRM_ID", "X", "A1"])
def test_variables_that_a_rule_may_set(name: str) -> None:
    check_variable(name)


@pytest.mark.parametrize(
    "name",
    [
        "ROUTE_STATUS", "_ROUTE_KIND", "ROUTING_ENGINE_1", "EXTEN", "__CONTEXT", "PRIORITY", "QUEUE_PRIO", "crm_id", "",
        "_", "1A", "A B", "A,B", "A=B", "CALLERID(name)", "SHELL(id)", "A\n", "A" * 62, "___A", "É",
    ],
)  # fmt: skip
def test_variables_that_no_rule_may_set(name: str) -> None:
    with pytest.raises(ValueError):
        check_variable(name)
