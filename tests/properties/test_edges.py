"""Whatever a caller types or a CRM holds: nothing of it is obeyed by Asterisk. One property for each edge."""

from __future__ import annotations

import re
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.channels.agi.live_state import EXTENSION_STATE, expression
from routing_engine.channels.agi.say import saying
from routing_engine.channels.agi.wire import MAX_COMMAND, command
from routing_engine.config.route.context import read_pattern
from routing_engine.core.asks import Collect, Observe, Play, Switch
from routing_engine.core.destinations import KINDS, MAX_VALUE, PROFILES, check_target, variables
from routing_engine.core.model import Operand, Spoken
from routing_engine.core.operators import LONGEST_MATCHED, OPERATORS
from routing_engine.core.prompts import LANGUAGE, SOUND
from routing_engine.settings.yaml_reader import Problems, YamlValue
from tests.core.build import ANNA, NOW, Told, pattern
from tests.examples import examples
from tests.properties.hostile import CALLS, HOSTILE, OBEYED, QUICKLY, VALUES

NAMES = re.compile(
    r"CALLERID\((name|num)\)|CHANNEL\((language|musicclass|accountcode)\)|(__)?ROUTE_[A-Z_]+[0-9]*|QUEUE_PRIO|CRM_ID|__SHARED"
)
TARGET = re.compile(r"[A-Za-z0-9_.+*#@/\-]*")


# a. The variables that the dialplan gets


@given(CALLS, st.sampled_from(sorted(PROFILES)))
@QUICKLY
def test_variables_hold_nothing_that_asterisk_evaluates_or_that_ends_a_line(told: Told, profile: str) -> None:
    set_to = variables(told.decision, "1", PROFILES[profile])
    for name, value in set_to:
        assert NAMES.fullmatch(name)
        assert len(value) <= MAX_VALUE
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|\$[{\[]", value)
    assert set_to[-1][0] == "ROUTE_STATUS"


@given(CALLS, st.sampled_from(sorted(PROFILES)))
@QUICKLY
def test_what_the_dialplan_takes_apart_has_the_parts_that_are_meant(told: Told, profile: str) -> None:
    set_to = dict(variables(told.decision, "1", PROFILES[profile]))
    assert TARGET.fullmatch(set_to["ROUTE_TARGET"]) or set_to["ROUTE_KIND"] == "dialplan"
    assert all(TARGET.fullmatch(set_to[part]) for part in ("ROUTE_CONTEXT", "ROUTE_EXTEN", "ROUTE_PRIORITY"))
    chain = set_to.get("ROUTE_CHAIN", "")
    entries = [entry.split(":") for entry in chain.split("&")] if chain else []
    assert [(entry[0], entry[1]) for entry in entries] == [(one.kind, one.target) for one in told.decision.chain]
    assert all(len(entry) == 7 for entry in entries)
    for name in ("ROUTE_ANNOUNCE", "ROUTE_RECORD", "CHANNEL(musicclass)"):
        assert not set_to.get(name) or SOUND.match(set_to[name])
    assert LANGUAGE.match(set_to.get("CHANNEL(language)", "en"))
    for name, value in set_to.items():
        assert not name.startswith("__ROUTE_HEADER") or re.match(r"(X-Customer|User-to-User): \S", value)


# b. Command lines of FastAGI


def words(line: bytes) -> list[str]:
    """Take a command line apart as Asterisk's parse_args does: quotes, backslashes, white space."""
    found, word, quoted, escaped, inside = [], "", False, False, False
    for char in line.decode():
        if escaped:
            word, escaped = word + char, False
        elif char == "\\":
            escaped = inside = True
        elif char == '"':
            quoted, inside = not quoted, True
        elif char in " \t\n" and not quoted:
            found += [word] if inside else []
            word, inside = "", False
        else:
            word, inside = word + char, True
    return found + ([word] if inside else [])


@given(st.lists(HOSTILE, max_size=4))
@QUICKLY
def test_a_command_is_one_line_and_its_words_are_the_values(values: list[str]) -> None:
    try:
        line = command("SET VARIABLE", *values)
    except ValueError:
        assert sum(map(len, values)) > MAX_COMMAND / 8
        return
    assert (line.count(b"\n"), line[-1:], b"\r" in line, b"\0" in line) == (1, b"\n", False, False)
    assert len(line) <= MAX_COMMAND + 1
    meant = [re.sub(r"[\x00-\x1f\x7f]", " ", value).encode("utf-8", "replace").decode() for value in values]
    assert words(line) == ["SET", "VARIABLE", *meant]


@given(CALLS)
@QUICKLY
def test_every_variable_fits_into_a_command(told: Told) -> None:
    for name, value in variables(told.decision, "1", PROFILES["plain"]):
        assert words(command("SET VARIABLE", name, value)) == ["SET", "VARIABLE", name, value]


# c. Targets of destinations


@given(st.sampled_from(sorted(KINDS)), HOSTILE)
@QUICKLY
def test_a_target_is_of_few_characters_or_refused(kind: str, text: str) -> None:
    try:
        target = check_target(kind, text)
    except ValueError:
        return
    assert re.fullmatch(r"[A-Za-z0-9_.+*#@/\-]{1,240}", target.replace(",", "") if kind == "dialplan" else target)
    assert ".." not in target or kind != "announcement"


# d. Prompts: sounds, what SAY gets, speech and languages

SPOKEN = {
    "digits": r"[0-9*#]{1,40}",
    "number": r"-?[0-9]{1,10}",
    "letters": r"[A-Za-z0-9 .+*#/@\-]{1,40}",
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+([+\-][0-9:.]+)?",
    "time": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+([+\-][0-9:.]+)?",
    "speech": r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,500}",
}


@given(CALLS)
@QUICKLY
def test_prompts_are_names_of_sounds_or_what_can_be_said(told: Told) -> None:
    prompts = [ask.sounds for ask in told.asks if isinstance(ask, Play)]
    prompts += [ask.prompt for ask in told.asks if isinstance(ask, Collect)]
    for sound in (sound for prompt in prompts for sound in prompt):
        if isinstance(sound, Spoken):
            assert re.fullmatch(SPOKEN[sound.kind], sound.text)
        else:
            assert SOUND.match(sound)
            assert not sound.startswith("/")
    assert all(LANGUAGE.match(ask.language) for ask in told.asks if isinstance(ask, Switch))


@given(CALLS)
@QUICKLY
def test_what_asterisk_says_is_one_command(told: Told) -> None:
    for sound in (sound for ask in told.asks if isinstance(ask, Play) for sound in ask.sounds):
        if isinstance(sound, Spoken) and sound.kind != "speech":
            verb, *values = saying(sound, "12", "en", NOW.tzinfo)
            assert words(command(verb, *values)) == [*verb.split(), *values]


# i. Expressions for what is live


@given(CALLS)
@QUICKLY
def test_what_is_looked_at_live_has_a_plain_name(told: Told) -> None:
    for left in (left for ask in told.asks if isinstance(ask, Observe) for left in ask.operands):
        assert left.scope in ("device", "queue", "last_agent")
        assert re.fullmatch(r"[A-Za-z0-9_.+*#\-]{0,90}", left.name)


@given(st.sampled_from(["device", "queue", "last_agent"]), HOSTILE, st.sampled_from(["", ".members", ".free"]))
@QUICKLY
def test_a_strange_name_is_not_put_into_an_expression(room: str, name: str, what: str) -> None:
    left = Operand(room, name + what)  # type: ignore[arg-type]
    asked = expression(left, ANNA, EXTENSION_STATE)
    assert re.fullmatch(r"(\$\{[A-Z_]+\([A-Za-z0-9_/+,.\-]+\)\},?)*", asked)


# j. Regular expressions

CATASTROPHES = [
    r"^(a+)+$",
    r"^(a|a)*$",
    r"^(a|aa)+$",
    r"^(.*a){20}$",
    r"(x+x+)+y",
    r"^([a-zA-Z]+)*$",
    r"(.*)*\d",
    r"(a?){50}a{50}",
]


def searches_within(cpu_s: float, text: str, expression: str) -> bool:
    """Return whether a condition looks at a text in so much time of the processor, at the best of three times."""
    notes = Problems("routes/support.yaml")
    read = read_pattern(YamlValue(yaml.compose(f"'{expression}'"), notes, "'matches'"))
    assert read is not None, notes.problems

    def search_s() -> float:
        before = time.process_time()
        OPERATORS["matches"].holds(text, read, NOW)
        return time.process_time() - before

    return any(search_s() < cpu_s for _ in range(3))


@pytest.mark.parametrize("expression", CATASTROPHES)
@pytest.mark.parametrize("unit", ["a", "x", "aA", "é"])
def test_a_pattern_cannot_stall_a_call(expression: str, unit: str) -> None:
    """A backtracking engine needs 2 ** 65,536 steps for the worst of these; ours a few a character."""
    assert searches_within(0.5, unit * 65_536 + "!", expression)


#: The slowest that the reader takes: hundreds of copies of a part that may be there or not.
LARGEST = [r"(x?.?){500}y$", r"(?:[ab]?){1000}c", r"(a|b)*a(a|b){500}c", r"(\w+\s?){250}$", r"((a{0,30}){30}){1}c"]


@pytest.mark.parametrize("expression", LARGEST)
@pytest.mark.parametrize("unit", ["a", "ab", "\u6f22"])
def test_the_largest_pattern_and_the_longest_field_do_not_stall_a_call_either(expression: str, unit: str) -> None:
    """Two seconds on a slow machine are a fifth of one on this; without the limit it was three."""
    assert searches_within(2, unit * (65_536 // len(unit)), expression)


def test_a_pattern_looks_at_the_beginning_of_a_long_text() -> None:
    holds = OPERATORS["matches"].holds
    assert holds("a" * (LONGEST_MATCHED - 1) + "b", pattern("b"), NOW)
    assert not holds("a" * LONGEST_MATCHED + "b", pattern("b"), NOW)


@given(VALUES, st.sampled_from(sorted(OPERATORS)), VALUES)
@examples(300)
def test_no_operator_takes_long_or_fails_whatever_it_compares(actual: object, name: str, expected: object) -> None:
    right = {
        "pattern": pattern("^(a+)+$"),
        "list": (expected,),
        "pair": (expected, expected),
        "number": 3,
        "flag": True,
    }
    takes = OPERATORS[name].takes
    before = time.process_time()
    OPERATORS[name].holds(actual, right.get(takes, expected), NOW)  # type: ignore[arg-type]
    assert time.process_time() - before < 0.5


# k. The trail, which people read


@given(CALLS)
@QUICKLY
def test_a_trail_is_short_and_cannot_do_anything(told: Told) -> None:
    for step in told.decision.trail:
        assert not OBEYED.search(step.step + step.outcome)
        assert len(step.step) + len(step.outcome) <= 1500
