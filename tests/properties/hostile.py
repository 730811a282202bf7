"""What callers and CRMs may send to do harm, and calls in which it stands everywhere it can."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import strategies as st

from routing_engine.core.model import (
    Action,
    Caller,
    DestinationSpec,
    Input,
    Languages,
    Menu,
    Record,
    Route,
    Rule,
    Source,
    Value,
)
from routing_engine.core.templates import read_template
from tests.core.build import ANNA, SALES, Told, chain, converse, go, route, rule, say, source, to, when
from tests.examples import examples

#: Each of these ends something, begins something, or is obeyed somewhere.
PIECES = [
    *("\"'\\,;:|&()[]{}<>$^*#=?/%`~!@+-_. \t"),
    *("\n", "\r", "\r\n", "\x00", "\x07", "\x08", "\x0b", "\x7f", "\x85", "\x9b31m", "\u2028", "\u2029", "\ufeff"),
    *("\x1b[2J", "\x1b]0;owned\x07", "\x1b[8m", "\x1bP+q\x1b\\", "\u202e", "\u2066", "\u200f", "\u061c", "\u0301"),
    *("${SHELL(id)}", "$[1+1]", "${", "$$${CHANNEL(name)}", "$\x00{X}", "$(id)", "${ROUTE_STATUS}", "{b}", "{{"),
    *("../../etc/passwd", "/etc/passwd", "..", "%0d%0aX: y", "%00", "%", "&x=y", "?a=b#c", "https://evil/"),
    *('" "x', "HANGUP\n", "200 result=1", '"\nSET VARIABLE X 1\n"', "X: y\r\nY: z", ",1)System(id"),
    *("&SIP/evil", "@evil", "vip,1", "a:b:c&d", "1;2", "' OR 1=1 --", "<script>alert(1)</script>", "ROUTE_STATUS=OK"),
    *("Ä", "漢字", "😀", "٣", "²", "\ud800", "\udcff", "e\u0301"),
    *("+436641234567", "0", "12", "vip", "200", "de", "2026-12-24", "NaN", "1e999"),
]
CHARACTERS = st.characters(codec=None)  # with halves of pairs
SHORT = st.lists(st.sampled_from(PIECES) | st.text(CHARACTERS, max_size=4), max_size=6).map("".join)
#: As long as a field of a CRM may be.
LONG = st.builds(
    lambda piece, more: (piece * 65_536)[: 65_536 - len(more)] + more,
    st.sampled_from([piece for piece in PIECES if piece]) | st.text(CHARACTERS, min_size=1, max_size=4),
    st.sampled_from(PIECES),
)
HOSTILE = st.one_of(SHORT, SHORT, SHORT, st.sampled_from(PIECES), LONG)
SCALARS = HOSTILE | st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats()
VALUES: st.SearchStrategy[Value] = SCALARS | st.lists(SCALARS, max_size=3).map(tuple)
DIGITS = st.text("0123456789*#", max_size=8) | SHORT

QUICKLY = examples(100)

#: Nothing of this may reach a terminal, a log or the dialplan as it is.
OBEYED = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

NAMES = ("a", "b", "c")
RECORDS = st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)).map(
    lambda fields: Record(fields, "7", "https://crm.example.com/7")
)
CALLERS = st.builds(
    lambda name, called, variable, call_id: replace(
        ANNA, name=name, called=called, variables={"X": variable}, call_id=call_id
    ),
    HOSTILE,
    HOSTILE,
    HOSTILE,
    SHORT,
)
STATES = st.fixed_dictionaries({}, optional=dict.fromkeys(("device.200", "queue.q.waiting", "last_agent"), VALUES))
KINDS = ("extension", "queue", "ring_group", "ivr", "voicemail", "conference", "external", "announcement", "hangup")
KINDS += ("callback", "dialplan", "route", "last_agent")

SAID = tuple(
    say(kind, "{" + name + "}")
    for kind in ("sound", "digits", "number", "letters", "date", "time", "speech")
    for name in ("a", "call.name")
)
SETS = {
    "caller_name": "{a} - {call.name}",
    "language": "{b}",
    "announce": "{a}",
    "music": "{b}",
    "record": "{c}",
    "alert_info": "{a}",
    "account": "{a}",
    "CRM_ID": "{a}",
    "__SHARED": "{call.variable.X}{b}",
    "header.X-Customer": "{a}",
    "header.User-to-User": "{call.called}",
}
CODE = Input(name="code", prompt=(say("digits", "{call.called}"),), min=1, max=8)


def hostile_route(kind: str) -> Route:
    """A route that uses every value wherever one may be used."""
    agent = DestinationSpec(
        kind, read_template("14" if kind == "last_agent" else "{a}"), otherwise=to("extension", "{b}")
    )
    way = chain(replace(agent, otherwise=None), to("extension", "{b}"), to("queue", "{c}"), to("queue", "sales"))
    sets = tuple((name, read_template(text)) for name, text in SETS.items())
    alone = Rule("alone", Action(agent, SAID), when("input.code", "one_of", ("1", "2")), sets)
    chained = Rule("chained", Action(way, SAID), when("device.200", "is_not", "busy"), sets)
    chained = replace(chained, live=(when("device.200", "is", "x").left,))
    return route(
        searches(alone, chained, SALES),
        languages=Languages(read_template("{call.called}"), {"217": "de"}, "en"),
        instruction=(say("speech", "{call.name}"), say("sound", "{call.called}")),
        inputs=(CODE,),
        default=go("ivr", "main"),
    )


def searches(*rules: Rule) -> Source:
    menu = Menu((say("speech", "{a}"), "account"), at_most=3, otherwise=Action(to("external", "{call.name}"), SAID))
    return source("crm", *rules, by="{input.code}/{call.name}/{call.variable.X}", when_many=menu)


def call(kind: str, record: Record, caller: Caller, typed: list[str], states: dict[str, Value]) -> Told:
    """Hold a hostile call; those who type 2 or 4 first have two records."""
    found = (record, record) if typed[0] in ("2", "4") else (record,)
    return converse(hostile_route(kind), caller, typed, found={"crm": found}, states=states)


CALLS = st.builds(
    call,
    st.sampled_from([kind for kind in KINDS if kind != "route"]),
    RECORDS,
    CALLERS,
    st.builds(lambda first, more: [first, *more], st.sampled_from("1234") | DIGITS, st.lists(DIGITS, max_size=3)),
    STATES,
)

__all__ = ["CALLS", "HOSTILE", "OBEYED", "QUICKLY", "SHORT", "VALUES", "call", "hostile_route", "rule"]
