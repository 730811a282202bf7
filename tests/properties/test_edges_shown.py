"""Whatever a caller types or a CRM holds: it forges no line of the log, tells no secret, and no terminal obeys it."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from dataclasses import replace
from typing import cast

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.cli.common import paint, print_json
from routing_engine.cli.run_test import _print
from routing_engine.cli.screen import Screen, guarded
from routing_engine.core.destinations import PROFILES, variables
from routing_engine.core.events import CallAbandoned, CallRouted
from routing_engine.core.model import Caller, Record
from routing_engine.core.redact import visible
from routing_engine.dry_run import DryRun, decision_json
from routing_engine.log import log_call
from routing_engine.logger import set_up_log
from tests.core.build import ANNA, SALES, Told, converse, go, route, rule, say, source, when
from tests.properties.hostile import CALLS, CODE, HOSTILE, OBEYED, QUICKLY, call

FORMS = st.sampled_from(["json", "text"])
LEVELS = st.sampled_from(["debug", "info"])


class Terminal(io.StringIO):
    """What is shown on a screen."""

    def isatty(self) -> bool:
        return True


def logged(form: str, level: str, *events: CallRouted | CallAbandoned) -> list[str]:
    """Write events as a file or a pipe takes them, in UTF-8 and nothing else; give the lines."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict", newline="")
    try:
        set_up_log(level, form, stream)  # type: ignore[arg-type]
        for event in events:
            log_call(event, plain_numbers=False)
    finally:
        structlog.reset_defaults()
    stream.seek(0)
    return stream.read().splitlines()


# g. The log


@given(CALLS, FORMS, LEVELS)
@QUICKLY
def test_a_call_is_one_line_of_the_log(told: Told, form: str, level: str) -> None:
    lines = logged(form, level, CallRouted(ANNA, told.decision.route, told.decision))
    assert len(lines) == 1
    assert not OBEYED.search(lines[0])
    assert form == "text" or json.loads(lines[0])["event"] == "call.routed"


@given(HOSTILE, HOSTILE, FORMS)
@QUICKLY
def test_a_call_that_ends_early_is_one_line_too(text: str, why: str, form: str) -> None:
    lines = logged(form, "info", CallAbandoned(replace(ANNA, call_id=text), text, why))
    assert len(lines) == 1
    assert not OBEYED.search(lines[0])
    assert len(lines[0]) < 3 * 2_000 * 10 + 500  # what is no letter is written in ten characters


@given(CALLS, FORMS)
@QUICKLY
def test_the_number_of_the_caller_is_masked_in_the_log(told: Told, form: str) -> None:
    (line,) = logged(form, "debug", CallRouted(ANNA, told.decision.route, told.decision))
    assert "6641234567" not in re.sub(r"\W", "", line)


NUMBERS = ["{call.caller}", "x {call.caller}", "{call.caller},"]


@pytest.mark.parametrize("target", NUMBERS)
@pytest.mark.parametrize("kind", ["external", "extension", "callback", "queue", "dialplan"])
def test_no_target_that_repeats_the_number_tells_it(kind: str, target: str) -> None:
    miss = rule("miss", go("queue", "q"), when("call.caller", "is", "+4315885"))
    on = rule("on", go(kind, target, say("digits", "{call.caller}")))
    told = converse(route(rules=(miss, on), early=2))
    for level in ("info", "debug"):
        assert "6641234567" not in logged("json", level, CallRouted(ANNA, told.decision.route, told.decision))[0]


SECRETS = st.text("0123456789", min_size=4, max_size=8)


@given(SECRETS, HOSTILE, FORMS, LEVELS)
@QUICKLY
def test_sensitive_digits_stand_nowhere(secret: str, text: str, form: str, level: str) -> None:
    one = replace(CODE, prompt=(), sensitive=True, min=4)
    miss = rule("miss", go("queue", "{pin}"), when("pin", "is", "x"))
    on = rule("on", go("extension", "x y{pin}", say("digits", "{pin}")), when("input.code", "is_not", "1"))
    asked = route(source("crm", miss, on, SALES, by="{input.code}"), inputs=(one,))
    pin = text.replace(secret, "") + secret
    told = converse(asked, typed=["1" * 3, secret], found={"crm": Record({"pin": pin}, pin, f"https://x/{pin}")})
    # Times, the call's id and its revision are digits too: the words of a decision are what counts.
    (line,) = logged(form, level, CallRouted(replace(ANNA, call_id=""), told.decision.route, told.decision))
    shown = re.sub(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "", line) + printed(told) + printed(told, as_it_is=True)
    assert secret not in shown


# h. What run-test prints


def dry(told: Told) -> DryRun:
    played = [str(sound) for sound in told.played if not isinstance(sound, str)]
    return DryRun(told.decision, variables(told.decision, "run-test", PROFILES["plain"]), played)


def printed(told: Told, as_it_is: bool = False, screen: io.StringIO | None = None) -> str:
    stream = screen if screen is not None else io.StringIO()
    found = replace_played(told) if as_it_is else dry(told)
    with contextlib.redirect_stdout(stream), guarded():
        print_json(decision_json(found)) if as_it_is else _print(found)
    return stream.getvalue()


def replace_played(told: Told) -> DryRun:
    return DryRun(told.decision, variables(told.decision, "run-test", PROFILES["plain"]), ())


@given(CALLS)
@QUICKLY
def test_nothing_that_run_test_prints_is_obeyed(told: Told) -> None:
    lines = printed(told).split("\n")
    assert not [line for line in lines if OBEYED.search(line)]
    assert "\ud800" not in "".join(lines)


@given(CALLS)
@QUICKLY
def test_no_value_forges_a_line_of_run_test(told: Told) -> None:
    decision = replace(told.decision, record=None, sets=())
    bare = printed(Told(decision, told.asks)).count("\n")
    fields = len(told.decision.record.fields) + 2 if told.decision.record else 0
    assert printed(told).count("\n") == bare + fields + len(told.decision.sets)


@given(CALLS)
@QUICKLY
def test_the_json_of_run_test_is_harmless_and_exact(told: Told) -> None:
    text = printed(told, as_it_is=True)
    assert not OBEYED.search(text.replace("\n", ""))
    text.encode()
    record = told.decision.record
    found = json.loads(text)["record"]
    if record is not None:
        assert all(found[name] == value for name, value in record.fields.items() if isinstance(value, str))


@given(CALLS)
@QUICKLY
def test_on_a_terminal_only_colours_are_obeyed(told: Told) -> None:
    text = printed(told, screen=Terminal())
    assert "\x1b[" in text
    assert not OBEYED.search(re.sub(r"\x1b\[[0-9]{1,2}m|\n", "", text))


# The guard before every command


@given(HOSTILE)
@QUICKLY
def test_a_screen_shows_text_and_nothing_else(text: str) -> None:
    stream = io.StringIO()
    Screen(cast(io.TextIOWrapper, stream)).write(text)
    shown = stream.getvalue()
    assert len(shown) == len(text)
    assert not OBEYED.search(shown.replace("\n", "").replace("\t", ""))


@pytest.mark.parametrize("code", ["8", "5;8", "38;5;1", "2J", "31H", "?25l"])
def test_a_terminal_is_not_told_to_hide_or_to_move(code: str) -> None:
    stream = Terminal()
    Screen(stream).write(f"a\x1b[{code}" + ("m" if code[-1].isdigit() else "") + "b")
    assert "\x1b" not in stream.getvalue()


def test_our_own_colours_pass_on_a_terminal() -> None:
    stream = Terminal()
    with contextlib.redirect_stdout(stream), guarded():
        print(paint("good", "good"))
    assert stream.getvalue() == "\x1b[32mgood\x1b[0m\n"


def test_colours_do_not_pass_elsewhere() -> None:
    stream = io.StringIO()
    Screen(cast(io.TextIOWrapper, stream)).write("\x1b[31mred\x1b[0m")
    assert stream.getvalue() == " [31mred [0m"


def test_the_guard_is_taken_away_again() -> None:
    before = sys.stdout, sys.stderr
    with contextlib.suppress(KeyError), guarded():
        assert sys.stdout is not before[0]
        raise KeyError
    assert (sys.stdout, sys.stderr) == before


@pytest.mark.parametrize(("text", "longest", "shown"), [("abcdef", 5, "ab..."), ("abcde", 5, "abcde"), ("a", 0, "a")])
def test_a_long_text_is_cut(text: str, longest: int, shown: str) -> None:
    assert visible(text, longest) == shown


def test_letters_of_every_language_stay_as_they_are() -> None:
    for text in ("Müller & Söhne", "漢字", "العربية", "👩‍🚀", "e\u0301", "a\u00a0b"):
        assert visible(text) == text


def test_the_calls_of_these_properties_come_to_every_end() -> None:
    record = Record({"a": "200", "b": "201", "c": "desk"})
    ends = [call("extension", record, ANNA, [key], {}).decision for key in ("1", "2", "3", "4", "*")]
    assert [one.rule for one in ends] == ["alone", "", "chained", "", ""]
    assert isinstance(ANNA, Caller)
