"""Prompts with values: what each kind says, and what happens to a value that cannot be said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing_engine.core.asks import Collect, Play
from routing_engine.core.model import Destination, Record, SayingKind, Spoken, Value
from routing_engine.core.prompts import SOUND

from .build import GOLD, NUMBER, converse, go, route, rule, say, source


def played(kind: SayingKind, value: Value, text: str = "{x}") -> list[str | Spoken]:
    """What is played before a queue, between two sounds, for a record with this value."""
    act = rule("on", go("queue", "q", "before", say(kind, text), "after"))
    told = converse(route(source("c", act)), found={"c": Record({"x": value})})
    assert told.decision.destination == Destination("queue", "q")
    assert told.decision.play == tuple(told.played)
    return told.played


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("sound", "vip", "vip"),
        ("sound", "acme/hello-1.2", "acme/hello-1.2"),
        ("digits", "0815", Spoken("digits", "0815")),
        ("digits", 815, Spoken("digits", "815")),
        ("digits", "+43 (664) 12-34/5.6", Spoken("digits", "43664123456")),
        ("digits", "*9#", Spoken("digits", "*9#")),
        ("number", "42", Spoken("number", "42")),
        ("number", 42.0, Spoken("number", "42")),
        ("number", "-7", Spoken("number", "-7")),
        ("number", " 007 ", Spoken("number", "7")),
        ("number", 2**31 - 1, Spoken("number", "2147483647")),
        ("letters", "AB-12", Spoken("letters", "AB-12")),
        ("date", "2026-12-24", Spoken("date", "2026-12-24T00:00:00+01:00")),
        ("date", "2026-07-01T10:30:00Z", Spoken("date", "2026-07-01T10:30:00+00:00")),
        ("date", "today", Spoken("date", "2026-11-18T00:00:00+01:00")),
        ("time", "17:05", Spoken("time", "2026-11-18T17:05:00+01:00")),
        ("time", "9:05", Spoken("time", "2026-11-18T09:05:00+01:00")),
        ("time", "2026-12-24T17:30", Spoken("time", "2026-12-24T17:30:00+01:00")),
        ("speech", "Good morning\n Anna ", Spoken("speech", "Good morning Anna")),
        ("speech", "x" * 65_536, Spoken("speech", "x" * 500)),
    ],
)
def test_a_value_is_said_as_its_kind(kind: SayingKind, value: Value, said: str | Spoken) -> None:
    assert played(kind, value) == ["before", said, "after"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("sound", ""),
        ("sound", "../../etc/passwd"),
        ("sound", "/etc/passwd"),
        ("sound", " /etc/passwd"),
        ("sound", "a b"),
        ("sound", "a&b"),
        ("sound", "a\nb"),
        ("sound", "x" * 121),
        ("digits", ""),
        ("digits", "12a"),
        ("digits", "1" * 41),
        ("digits", "١٢"),
        ("number", "1.5"),
        ("number", 2**31),
        ("number", "1e9"),
        ("number", None),
        ("number", True),
        ("letters", "ä"),
        ("letters", "a\nb"),
        ("letters", "x" * 41),
        ("date", "soon"),
        ("date", "1969-12-31"),
        ("date", "3000-01-01"),
        ("time", "24:00"),
        ("time", ""),
        ("speech", ""),
        ("speech", "\x00\n\ud800"),
    ],
)
def test_a_value_that_cannot_be_said_is_left_out_and_nothing_else(kind: SayingKind, value: Value) -> None:
    assert played(kind, value) == ["before", "after"]


@pytest.mark.parametrize(
    ("kind", "sign", "why"),
    [("number", "x", "is not a whole number"), ("letters", "!", "cannot be spelled"), ("digits", "x", "is not digits")],
)
def test_a_long_value_is_quoted_up_to_eighty_characters(kind: SayingKind, sign: str, why: str) -> None:
    act = rule("on", go("queue", "q", say(kind, "{x}")), None, language="{x}")
    told = converse(route(source("c", act)), found={"c": Record({"x": sign * 90})})
    assert f"prompt: left out: '{sign * 80}' {why}" in told.steps
    assert f"language: left as it is: '{sign * 80}' is not a language" in told.steps


def test_the_trail_says_what_was_left_out() -> None:
    act = rule("on", go("queue", "q", say("number", "{x}")))
    told = converse(route(source("c", act)), found={"c": Record({"x": "many"})})
    assert "prompt: left out: 'many' is not a whole number" in told.steps
    assert not [ask for ask in told.asks if isinstance(ask, Play)]


def test_a_sound_of_the_route_may_stand_anywhere_on_the_disk() -> None:
    assert played("sound", "7", "/var/sounds/{x}") == ["before", "/var/sounds/7", "after"]


def test_an_instruction_and_a_prompt_may_hold_values_of_the_call() -> None:
    asked = route(instruction=(say("digits", "{call.called}"),), inputs=(NUMBER,))
    told = converse(asked)
    assert told.asks[0] == Play((Spoken("digits", "217"),))


def test_a_final_prompt_may_hold_values() -> None:
    one = replace(NUMBER, attempts=1, final_prompt=("sorry", say("speech", "{call.name}")))
    assert converse(route(inputs=(one,))).played == ["sorry", Spoken("speech", "Anna"), "no-match"]


def test_the_trail_tells_what_was_said() -> None:
    act = rule("on", go("queue", "q", "your-order", say("digits", "{id}")))
    told = converse(route(source("c", act)), found={"c": GOLD})
    assert told.steps[-1] == "play your-order digits 7: played"


def test_prompts_without_values_are_asked_as_they_are_written() -> None:
    told = converse(route(inputs=(NUMBER,)))
    assert next(ask.prompt for ask in told.asks if isinstance(ask, Collect)) is NUMBER.prompt


@pytest.mark.parametrize("sound", ["a", "a/b", "/a/b.c", "crm_routing-gold", "a@b", "a+b", "x" * 120])
def test_names_of_sounds(sound: str) -> None:
    assert SOUND.match(sound)


@pytest.mark.parametrize("sound", ["", "-a", ".a", "a/../b", "a b", "a,b", "a|b", "a&b", "a$b", "a\n", "ä", "x" * 122])
def test_no_names_of_sounds(sound: str) -> None:
    assert not SOUND.match(sound)


def test_a_space_before_a_value_does_not_make_it_the_routes_own() -> None:
    assert played("sound", "/etc/passwd", " {x}") == ["before", "after"]
