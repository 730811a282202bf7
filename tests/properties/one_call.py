"""A site with one route and one call of it, made up: routes, records, types, keys, languages and moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

ZONES = ("Europe/Vienna", "America/New_York", "Asia/Kolkata")
Answer = str | list[dict[str, object]]


@dataclass(frozen=True)
class Call:
    """A site with one route, and one call of it: `inputs` by try, what each source answers."""

    engine: Mapping[str, object]
    crm: Mapping[str, object]
    route: Mapping[str, Any]
    answers: Mapping[str, Answer]
    caller: str = "+43 664 1234567"
    caller_name: str = "Anna"
    called: str = ""
    language: str = ""
    at: str = "2026-03-27T12:00"
    inputs: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    #: Whether the first key is pressed while the instruction plays.
    ahead: bool = False

    @property
    def moment(self) -> datetime:
        zone, moment = ZoneInfo(str(self.engine["timezone"])), datetime.fromisoformat(self.at)
        return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)

    def example(self) -> dict[str, object]:
        given = {name: getattr(self, name) for name in ("caller", "caller_name", "called", "language", "at")}
        rest = {"input": list(self.inputs), "variables": dict(self.variables), "states": dict(self.states)}
        return {**given, **rest, "records": dict(self.answers), "expect": {"reason": "matched"}}

    def arguments(self) -> list[str]:
        given = ["--caller", self.caller, "--caller-name", self.caller_name, "--called", self.called]
        given += ["--language", self.language, "--at", self.at]
        given += [f"--input={typed}" for typed in self.inputs]
        given += [f"--variable={name}={value}" for name, value in self.variables.items()]
        return given + [f"--state={name}={value}" for name, value in self.states.items()]


TEXTS = st.sampled_from(
    [
        "gold", "Gold ", "0042", "42", "2500", "yes", "false", "0", "", " ", "a\tb", "x\x00y\u202ez", "Müller 😀",
        "A,B", "2026-11-20", "2026-11-20T10:00:00", "2026-11-20T09:00:00+01:00", "2025-01-01", "201", "de",
    ]
)  # fmt: skip
PHONES = st.sampled_from(
    ["+43 664 1234567", "0664/1234567", "436641234567", "+43 1 5550000", "1234567", "", "0664 1234567; 0043 1 5550000"]
)
ODD: list[object] = [42, 2500.5, 7.0, 0, -3, True, False, None, [], ["gold", "42"], {"deep": ["a", 1]}, [["x"], "z"]]
VALUES: st.SearchStrategy[object] = st.one_of(TEXTS, st.sampled_from(ODD))
#: What is likely in a field, so that rules hold often enough.
USUAL: Mapping[str, st.SearchStrategy[object]] = {
    "id": st.sampled_from(["7", 8, "a b", True, None]),
    "name": st.sampled_from(["Anna", "a\tb", "x\x00y\u202ez", "de", "it"]),
    "tier": st.sampled_from(["gold", "Gold ", "silver", ["gold", "42"]]),
    "owner": st.sampled_from(["0042", "42", 42, "042.0", "201"]),
    "due": st.sampled_from(["2026-11-20", "2026-11-20T08:00:00", "2026-11-20T09:00:00+01:00", "2025-01-01"]),
    "vip": st.sampled_from(["yes", "1", True, "false", 0]),
    "phone": st.just("+43 664 1234567") | PHONES | st.lists(PHONES, min_size=1, max_size=2),
    "unmapped": st.sampled_from(["x", 1]),
}
RECORD: st.SearchStrategy[dict[str, object]] = st.fixed_dictionaries(
    {"id": USUAL["id"]}, optional={name: usual | VALUES for name, usual in USUAL.items() if name != "id"}
)
RECORDS: st.SearchStrategy[list[dict[str, object]]] = st.lists(RECORD, min_size=1, max_size=3)
ANSWERS: st.SearchStrategy[Answer] = st.one_of(RECORDS, RECORDS, RECORDS, st.sampled_from(["none", "down"]))
TESTS: st.SearchStrategy[dict[str, object]] = st.sampled_from(
    [
        {"tier": "gold"}, {"owner": 42}, {"owner": {"at_least": 42}}, {"due": "2026-11-20"}, {"vip": True},
        {"due": {"after": "2026-01-01"}}, {"name": {"contains": "b"}}, {"name": "a b"}, {"phone": {"is_empty": True}},
        {"unmapped": {"is_empty": False}}, {"tier": {"is": "gold", "loosely": True}}, {"data.origin": "live"},
        {"data.age_s": {"at_most": 5}}, {"id": "7"}, {"call.language": "de"}, {"call.name": "Anna"},
    ]
)  # fmt: skip
OF_THE_CALL: st.SearchStrategy[dict[str, object]] = st.sampled_from(
    [
        {"call.language": "en"}, {"call.language": "de"}, {"call.name": ""}, {"call.name": "Anna"},
        {"call.called": "217"}, {"call.called": {"is_empty": True}}, {"call.time": {"before": "11:00"}},
        {"call.weekday": "friday"}, {"call.date": "2026-03-28"}, {"call.country": "AT"}, {"call.variable.V": "a b"},
        {"call.caller": "+436641234567"}, {"device.201": "busy"}, {"call.caller": {"is_empty": True}},
    ]
)  # fmt: skip
FIXED: list[object] = [
    {"queue": "vip", "priority": 3},
    [{"extension": "201", "ring_s": 20}, {"queue": "desk"}],
    {"extension": "{call.called}", "else": {"voicemail": "217"}},
    "callback",
]
FROM_RECORDS: list[object] = [
    {"extension": "{owner}", "else": {"queue": "sales"}},
    {"queue": "q{tier}"},
    {"external": "{phone}", "else": {"ivr": "main"}},
]
SETS: list[dict[str, str]] = [{}, {"caller_name": "{call.name}!", "CALLED": "{call.called}{call.language}"}]
RECORDED: list[dict[str, str]] = [
    {"caller_name": "{name} - {owner}", "CRM_ID": "{id}{due}"},
    {"language": "{name}", "CRM_TIER": "{tier}{vip}"},
]


def rules(
    prefix: str, tests: st.SearchStrategy[dict[str, object]], record: bool
) -> st.SearchStrategy[list[dict[str, object]]]:
    targets = st.sampled_from([*FIXED, *(FROM_RECORDS if record else [])])
    sets = st.sampled_from([*SETS, *(RECORDED if record else [])])
    one = st.builds(
        lambda when, to, given: {"when": when, "to": to, **({"set": given} if given else {})}, tests, targets, sets
    )
    return st.lists(one, min_size=int(record), max_size=3).map(
        lambda found: [{"name": f"{prefix} {number}", **one} for number, one in enumerate(found)]
    )


@st.composite
def inputs(draw: st.DrawFn, number: int) -> dict[str, object]:
    low = draw(st.integers(1, 4))
    found: dict[str, object] = {
        "name": f"in{number}",
        "prompt": f"enter-{number}",
        "attempts": draw(st.integers(1, 3)),
        "digits": {"min": low, "max": draw(st.integers(low, 6))},
        "terminator": draw(st.sampled_from(["#", "#", "*", "", "9"])),
        "first_digit_timeout_s": draw(st.sampled_from([1, 3])),
        "accept_early": draw(st.booleans()),
        "sensitive": draw(st.booleans()),
    }
    if draw(st.booleans()):
        found["pattern"] = draw(st.sampled_from(["[0-9]*", "[1-4]..|[5-9].*", "4.*", "[0-9*]+"]))
    return {
        **found,
        **draw(st.sampled_from([{}, {}, {"language": {"1": "it", "42": "de"}}, {"retry_prompt": "again"}])),
    }


@st.composite
def sources(draw: st.DrawFn, number: int, typed: bool) -> dict[str, object]:
    by: list[dict[str, str]] = [{"by": "caller"}, {"by": "caller", "field": "phone"}, {"field": "name", "by": "called"}]
    by += [{"field": "name", "by": "input.in0"}] if typed else []
    many: list[object] = [
        "first",
        "newest by due",
        {"prefer": {"vip": True}},
        {"ask": {"digits": "{owner}"}},
    ]
    many += [{"to": {"queue": "many"}}]
    return {
        "name": f"source {number}",
        "integration": f"crm{number}",
        "model": "contact",
        "search": draw(st.sampled_from(by)),
        "when_many": draw(st.sampled_from(many)),
        "when_down": draw(st.sampled_from(["next", "default", {"to": {"queue": "down"}}])),
        "rules": draw(rules(f"rule {number}", TESTS, True)),
    }


@st.composite
def routes(draw: st.DrawFn) -> dict[str, Any]:
    """Return a route that is about records, or about keys, or about the call itself."""
    rules_, inputs_, sources_ = draw(st.sampled_from([(0, 0, 2), (0, 0, 1), (0, 2, 1), (0, 1, 0), (1, 1, 1)]))
    asked = [draw(inputs(number)) for number in range(inputs_)]
    searched = [draw(sources(number, bool(asked))) for number in range(sources_)]
    languages: list[dict[str, object]] = [{}, {}, {"language": "de"}, {"language": {"by": "call.called", "217": "it"}}]
    route = {
        "rules": draw(rules("call", OF_THE_CALL, False)) if rules_ else [],
        "inputs": asked,
        "sources": searched,
        "look_ahead": draw(st.sampled_from(["certain", "next", "all"])),
        "default": {
            "to": draw(st.sampled_from([{"ivr": "main"}, {"extension": "{owner}", "else": {"queue": "last"}}]))
        },
        **draw(st.sampled_from([{}, {"anonymous": {"to": {"queue": "hidden"}}}])),
        **draw(st.sampled_from([{}, {"instruction": "welcome"}])),
        **draw(st.sampled_from(languages)),
    }
    return {key: value for key, value in route.items() if value != []}


KEYS = (
    st.text("0123456789", min_size=1, max_size=9)
    | st.text("0123456789*#", max_size=9)
    | st.sampled_from(["", "42", "1", "123#", "#", "5#6", "12345678"])
)


@st.composite
def calls(draw: st.DrawFn) -> Call:
    types = {"owner": ["number", "text", ""], "due": ["date", ""], "vip": ["boolean", ""], "tier": ["text", ""]}
    fields = {name: {"type": draw(st.sampled_from(known))} for name, known in types.items()}
    mapped = {name: {"field": name, **(kind if kind["type"] else {})} for name, kind in fields.items()}
    forms = draw(st.sampled_from([["e164"], ["national"], ["e164", "digits"], ["as_received", "last 8"]]))
    model: dict[str, object] = {"fields": {"id": "id", "name": "name", "phone": "phone", **mapped}}
    model["record_url"] = "https://crm.example.com/{id}"
    if "last 8" in forms or draw(st.booleans()):
        model["numbers"] = "phone"
    route = draw(routes())
    typed = draw(st.lists(KEYS, max_size=5))
    first = route.get("inputs", [{}])[0]
    ahead = typed and typed[0][:1].isdigit() and typed[0][0] != first.get("terminator") and "instruction" in route
    return Call(
        engine={"region": draw(st.sampled_from(["AT", "DE", "US"])), "timezone": draw(st.sampled_from(ZONES))},
        crm={"provider": "http", "models": {"contact": model}, "number_form": forms, "breaker": "none"},
        route=route,
        answers={f"source {number}": draw(ANSWERS) for number in range(len(route.get("sources", ())))},
        caller=draw(
            st.just("+43 664 1234567") | st.sampled_from(["0664/1234567", "anonymous", "Anonymous", "unknown", "217"])
        ),
        caller_name=draw(st.sampled_from(["Anna", "", "unknown", "Ä B"])),
        called=draw(st.sampled_from(["217", "", "+43 1 217"])),
        language=draw(st.sampled_from(["", "de", "fr"])),
        at=draw(
            st.sampled_from(["2026-03-27T12:00", "2026-03-27T23:30Z", "2026-03-27T20:30+05:30", "2026-03-28T02:30"])
        ),
        inputs=typed,
        variables=draw(st.sampled_from([{}, {"V": "a b"}, {"V": "ä,%20\"'"}])),
        states=draw(st.sampled_from([{}, {"device.201": "busy"}, {"device.201": "INUSE"}])),
        ahead=bool(ahead and "inputs" in route and first["digits"]["max"] > 1 and not first["accept_early"]),
    )
