"""A site and one call of it, made up: routes that lead to one another, sources of every kind, keys, moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from routing_engine.core.phone import Plus, read_number, user_part

from . import made_up
from .made_up import Words

ZONES = ("Europe/Vienna", "America/New_York", "Asia/Kolkata")
Answer = str | list[dict[str, object]]
#: Where the records of a source lie: a system that is asked, a file, a database, an index of what a system lists.
Kind = Literal["http", "csv", "json", "sqlite", "mirror"]
#: The call's number, for all sources that find nothing but what they are asked for.
CALLER = "+43 664 1234567"


@dataclass(frozen=True)
class Call:
    """A site with its routes, and one call of `support`: `inputs` by try, what each source answers."""

    engine: Mapping[str, object]
    crm: Mapping[str, object]
    route: Mapping[str, Any]
    answers: Mapping[str, Answer]
    caller: str = CALLER
    caller_name: str = "Anna"
    called: str = ""
    language: str = ""
    at: str = "2026-03-27T12:00"
    inputs: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    #: Extension and seconds since 1970 of whom the caller spoke to last.
    last_agent: tuple[str, int] | None = None
    #: Whether the first key is pressed while the instruction plays.
    ahead: bool = False
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    kinds: Mapping[str, Kind] = field(default_factory=dict)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(str(self.engine["timezone"]))

    @property
    def plus(self) -> Plus:
        known: tuple[Plus, ...] = ("expected", "missing")
        return next((one for one in known if self.engine.get("numbers") == {"plus": one}), "")

    @property
    def moment(self) -> datetime:
        moment = datetime.fromisoformat(self.at)
        return moment.replace(tzinfo=self.zone) if moment.tzinfo is None else moment.astimezone(self.zone)

    @property
    def spoke(self) -> str:
        """When the caller spoke to the last agent, as the channel tells it."""
        return datetime.fromtimestamp((self.last_agent or ("", 0))[1], self.zone).isoformat()

    @property
    def every_route(self) -> Mapping[str, Mapping[str, Any]]:
        return {"support": self.route, **self.others}

    def example(self) -> dict[str, object]:
        given = {name: getattr(self, name) for name in ("caller", "caller_name", "called", "language", "at")}
        states = dict[str, object](self.states)
        if self.last_agent is not None:
            states["last_agent"] = [self.last_agent[0], self.spoke]
        rest = {"input": list(self.inputs), "variables": dict(self.variables), "states": states}
        # A route that leads to no other one may name its own sources only.
        own = [one["name"] for one in self.route.get("sources", ())]
        leads_on = "'route':" in str(self.route)
        records = {name: answer for name, answer in self.answers.items() if leads_on or name in own}
        return {**given, **rest, "records": records, "expect": {"reason": "matched"}}

    def arguments(self) -> list[str]:
        given = ["--caller", self.caller, "--caller-name", self.caller_name, "--called", self.called]
        given += ["--language", self.language, "--at", self.at]
        given += [f"--input={typed}" for typed in self.inputs]
        given += [f"--variable={name}={value}" for name, value in self.variables.items()]
        given += [f"--state=last_agent={self.last_agent[0]},{self.spoke}"] if self.last_agent else []
        return given + [f"--state={name}={value}" for name, value in self.states.items()]


# ---------------------------------------------------------------------------------------------------- the routes


def rules(prefix: str, tests: st.SearchStrategy[Words], record: bool, leads_to: str = "") -> st.SearchStrategy[Any]:
    targets = [*made_up.FIXED, *(made_up.FROM_RECORDS * 2 if record else [])]
    targets += [{"route": leads_to}, [{"extension": "201"}, {"route": leads_to}]] if leads_to else []
    sets = st.sampled_from([*made_up.SETS, *(made_up.FROM_RECORDS_SETS if record else [])])
    plays = st.sampled_from([*made_up.PLAYS, *(made_up.FROM_RECORDS_PLAYS if record else [])])
    beside: list[Words] = [{}, {}, {}, {"disabled": True}, {"until": "2026-03-27"}, {"until": "2026-03-29 02:30"}]
    when = made_up.trees(tests) | st.none() if record else made_up.trees(tests)
    one = st.builds(_rule, when, st.sampled_from(targets), sets, plays, st.sampled_from(beside))
    return st.lists(one, min_size=int(record), max_size=3).map(
        lambda found: [{"name": f"{prefix} {number}", **one} for number, one in enumerate(found)]
    )


def _rule(when: Words | None, to: object, given: object, play: object, beside: Words) -> Words:
    found = {"when": when, "to": to, "set": given, "play": play}
    return {**{key: value for key, value in found.items() if value}, **beside}


@st.composite
def inputs(draw: st.DrawFn, number: int) -> Words:
    low = draw(st.sampled_from([1, 1, 2, 3]))
    found: Words = {
        "name": f"in{number}",
        "prompt": draw(st.sampled_from([f"enter-{number}", [f"enter-{number}", {"digits": "{call.called}"}]])),
        "attempts": draw(st.integers(1, 3)),
        "digits": {"min": low, "max": draw(st.integers(max(low, 2), 6))},
        "terminator": draw(st.sampled_from(["#", "#", "*", "", "9"])),
        "first_digit_timeout_s": draw(st.sampled_from([1, 3])),
        "accept_early": draw(st.booleans()),
        "sensitive": draw(st.booleans()),
    }
    if draw(st.sampled_from([False, False, True])):
        found["pattern"] = draw(st.sampled_from(["[0-9]*", "[1-4]..|[5-9].*", "4.*", "[0-9*]+"]))
    beside: list[Words] = [{}, {}, {"language": {"1": "it", "42": "de"}}, {"retry_prompt": "again"}]
    beside += [{"final_prompt": "no-luck", "on_failure": {"to": {"queue": "nobody"}}}, {"check": "luhn"}]
    return {**found, **draw(st.sampled_from(beside))}


def typed_tests(asked: Sequence[Words]) -> list[Words]:
    """Return conditions on what was typed, alone and against a record."""
    names = [f"input.{one['name']}" for one in asked]
    return [{name: what} for name in names for what in ("42", {"is": "{owner}"}, {"at_least": 40}, {"is": "{tier}"})]


@st.composite
def sources(draw: st.DrawFn, number: int, asked: Sequence[Words], kind: Kind, leads_to: str) -> Words:
    by: list[dict[str, str]] = [{"by": "caller"}, {"by": "caller"}, {"by": "caller", "field": "phone"}]
    if kind == "http":
        by += [{"field": "name", "by": "called"}, {"field": "owner", "by": "{call.called}{call.language}"}]
        by += [{"field": "name", "by": "input.in0"}] if asked else []
    else:
        by += [{"field": "key", "by": "{call.weekday}-key"}] * 2
    menu = {"ask": draw(st.sampled_from(made_up.LABELS)), "else": {"to": {"queue": "none"}}}
    many: list[object] = [
        "first", "newest by due", "newest by name", {"prefer": {"vip": True}},
        {"prefer": draw(made_up.trees(made_up.OF_RECORDS))}, {"ask": {"digits": "{owner}"}}, {"to": {"queue": "many"}},
        {**menu, "at_most": 2, "prompt": "choose"}, menu,
    ]  # fmt: skip
    tests = made_up.USUALLY | made_up.USUALLY | made_up.OF_RECORDS
    tests = tests | st.sampled_from(typed_tests(asked)) if asked else tests
    tests = tests | made_up.OF_THE_DATA if kind != "mirror" else tests
    return {
        "name": f"source {number}",
        "integration": f"crm{number}",
        "model": "contact",
        "search": draw(st.sampled_from(by)),
        "when_many": draw(st.sampled_from(many)),
        "when_down": draw(st.sampled_from(["next", "default", {"to": {"queue": "down"}}])),
        "rules": draw(rules(f"rule {number}", tests, True, leads_to)),
    }


@st.composite
def routes(draw: st.DrawFn, kinds: Sequence[Kind], first: int, name: str, leads_to: str) -> dict[str, Any]:
    """Return a route that is about records, or about keys, or about the call itself; its sources count from `first`."""
    rules_, inputs_ = draw(st.sampled_from([(0, 0), (0, 0), (0, 2), (0, 1), (1, 1), (1, 0)]))
    asked = [draw(inputs(number)) for number in range(inputs_)]
    searched = [draw(sources(first + place, asked, kind, leads_to)) for place, kind in enumerate(kinds)]
    tests = made_up.OF_THE_CALL
    tests = tests | st.sampled_from([{f"input.{one['name']}": "42"} for one in asked]) if asked else tests
    languages: list[Words] = [{}, {}, {"language": "de"}, {"language": {"by": "call.called", "217": "it"}}]
    languages += [{"language": {"by": "call.country", "AT": "de", "else": "fr"}}]
    default: list[object] = [{"ivr": "main"}, {"extension": "{owner}", "else": {"queue": "last"}}]
    default += [[{"extension": "202"}, {"queue": "last"}], *([{"route": leads_to}] if leads_to else [])]
    route = {
        "rules": draw(rules(f"{name} call", tests, False, leads_to)) if rules_ else [],
        "inputs": asked,
        "sources": searched,
        "look_ahead": draw(st.sampled_from(["certain", "next", "all"])),
        "default": {"to": draw(st.sampled_from(default))},
        **draw(st.sampled_from([{}, {"anonymous": {"to": {"queue": "hidden"}, "play": "who"}}])),
        **draw(st.sampled_from([{}, {}, {"answer": "early_media"}, {"answer": "never"}, {"filler": "none"}])),
        **draw(st.sampled_from([{}, {"instruction": "welcome"}, {"instruction": ["hello", {"date": "{call.date}"}]}])),
        **draw(st.sampled_from(languages)),
    }
    return {key: value for key, value in route.items() if value != []}


# ----------------------------------------------------------------------------------------------------- the call

KEYS = (
    st.text("0123456789", min_size=1, max_size=9)
    | st.text("0123456789*#", max_size=9)
    | st.sampled_from(["", "42", "1", "123#", "#", "5#6", "12345678"])
)
#: What most of the inputs take.
LIKELY = ("1", "42", "451", "4111", "18#", "4512")
CALLERS = (
    "0664/1234567", "anonymous", "Anonymous", "unknown", "217", "", "00436641234567", "sip:+436641234567@example.com",
    "+1 212 555 0123", "436641234567", "+39 02 1234567", "Restricted",
)  # fmt: skip
MOMENTS = (
    "2026-03-27T12:00", "2026-03-27T23:30Z", "2026-03-27T20:30+05:30", "2026-03-28T02:30",
    # The clocks change: an hour that is not there, one that is there twice, and the moments around them.
    "2026-03-29T01:59", "2026-03-29T02:30", "2026-03-29T03:00", "2026-03-29T00:59:59Z", "2026-03-29T01:00Z",
    "2026-10-25T02:30", "2026-10-25T00:30Z", "2026-10-25T01:30Z", "2026-03-08T02:30", "2026-11-01T01:30",
    "2026-11-01T06:30Z", "2026-10-24T22:30Z",
)  # fmt: skip
STATES: list[dict[str, str]] = [
    {}, {"device.201": "busy"}, {"device.201": "INUSE", "device.202": "not_inuse"},
    {"queue.sales.waiting": "3", "queue.sales.members": "0"}, {"queue.desk.members": "0", "device.201": "unavailable"},
    {"queue.sales.free": "0", "call.attestation": "A"}, {"call.attestation": "failed"}, {"call.attestation": "none"},
]  # fmt: skip
OFFICE = {"hours": {"weekdays": "08:00-12:00, 22:00-03:00"}, "closed": "2026-03-29", "holidays": "AT"}
TYPES = {"owner": ["number", "text", ""], "due": ["date", ""], "vip": ["boolean", ""], "tier": ["text", ""]}
TYPES |= {"name": ["", "", "text", "number", "boolean", "date"]}


def found_by_all(draw: st.DrawFn, kind: Kind, key: str, caller: str) -> Answer:
    """Return what a source finds that looks for itself: every row shows the caller's number and the key."""
    records = draw(st.lists(made_up.RECORD, min_size=draw(st.sampled_from([0, 1, 1, 1])), max_size=3))
    rows = [{**one, "phone": caller, "key": key, "id": str(number)} for number, one in enumerate(records)]
    rows = [{**dict.fromkeys(made_up.USUAL, ""), **one} for one in rows] if kind == "csv" else rows
    return [{name: _kept(value, kind) for name, value in row.items()} for row in rows] or "none"


def _kept(value: object, kind: Kind) -> object:
    """Return a value as such a place can hold it: a cell of a CSV is a text on one line, SQLite has no truth."""
    if kind == "csv":
        return "" if value is None or isinstance(value, list | dict) else " ".join(str(value).split("\x00"))
    if kind == "sqlite":
        return None if isinstance(value, list | dict) else int(value) if isinstance(value, bool) else value
    return value


@st.composite
def calls(draw: st.DrawFn) -> Call:
    fields = {name: {"type": draw(st.sampled_from(known))} for name, known in TYPES.items()}
    mapped = {name: {"field": name, **(kind if kind["type"] else {})} for name, kind in fields.items()}
    forms = draw(st.sampled_from([["e164"], ["national"], ["e164", "digits"], ["as_received", "last 8"]]))
    model: Words = {"fields": {"id": "id", "phone": "phone", "key": "key", **mapped}}
    model["record_url"] = "https://crm.example.com/{id}"
    if "last 8" in forms or draw(st.booleans()):
        model["numbers"] = "phone"
    kind: st.SearchStrategy[Kind] = st.sampled_from(["http", "http", "http", "csv", "json", "sqlite", "mirror"])
    own = st.lists(kind, min_size=draw(st.sampled_from([0, 1, 1, 1])), max_size=2)
    plan = draw(st.lists(own, min_size=1, max_size=3))
    names = ["support", "second", "third"][: len(plan)]
    made, kinds, count = dict[str, Any](), dict[str, Kind](), 0
    for place, (name, own) in enumerate(zip(names, plan, strict=True)):
        onward = names[place + 1] if place + 1 < len(names) else draw(st.sampled_from(["", "", names[0]]))
        made[name] = draw(routes(own, count, name, onward if len(names) > 1 else ""))
        kinds |= {f"source {count + number}": one for number, one in enumerate(own)}
        count += len(own)
    typed = draw(st.lists(KEYS | st.sampled_from(LIKELY), max_size=6))
    first = made["support"].get("inputs", [{}])[0]
    ahead = typed and typed[0][:1].isdigit() and typed[0][0] != first.get("terminator")
    ahead = ahead and made["support"].get("instruction") == "welcome" and first and not first["accept_early"]
    caller = draw(st.sampled_from([*[CALLER] * 20, *CALLERS]))
    call = Call(
        engine={
            "region": draw(st.sampled_from(["AT", "AT", "DE", "US"])),
            "numbers": {"plus": draw(st.sampled_from(["expected", "missing"]))},
            "dialplan": {"profile": draw(st.sampled_from(["plain", "plain", "freepbx"]))},
            "timezone": draw(st.sampled_from(ZONES)),
            "calendars": {"office": OFFICE},
            "lists": {"known": draw(st.sampled_from([{"block": "lists/some.txt"}, {"allow": "lists/some.txt"}]))},
        },
        crm={"provider": "http", "models": {"contact": model}, "number_form": forms, "breaker": "none"},
        route=made.pop("support"),
        others=made,
        answers={},
        kinds=kinds,
        caller=caller,
        caller_name=draw(st.sampled_from(["Anna", "", "unknown", "Ä B", "0664/1234567", "x\tB", "Anna " * 40])),
        called=draw(st.sampled_from(["217", "", "+43 1 217", "0431217", "4312170", "s"])),
        language=draw(st.sampled_from(["", "de", "fr"])),
        at=draw(st.sampled_from(MOMENTS)),
        inputs=typed,
        variables=draw(st.sampled_from([{}, {"V": "a b"}, {"V": "ä,%20\"'"}, {"V": "600"}, {"V": "x\ny\t"}])),
        states=draw(st.sampled_from(STATES)),
        ahead=bool(ahead and first["digits"]["max"] > 1),
    )
    return with_answers(draw, call)


def with_answers(draw: st.DrawFn, call: Call) -> Call:
    """Return the call with what each source answers, and with whom the caller spoke to before."""
    key = f"{call.moment:%A}".lower() + "-key"
    number = read_number(user_part(call.caller), str(call.engine["region"]), call.plus)
    shown = number.e164 if number is not None else CALLER
    records = st.lists(made_up.RECORD, min_size=1, max_size=3)
    answers: st.SearchStrategy[Answer] = st.one_of(*[records] * 5, st.sampled_from(["none", "down"]))
    if "'share'" in str(call.every_route) and number is None:
        call = replace(call, caller=CALLER)  # callers without a number are split at random
        return with_answers(draw, call)
    found = {
        name: draw(answers) if kind == "http" else found_by_all(draw, kind, key, shown)
        for name, kind in call.kinds.items()
    }
    last = draw(st.sampled_from([None, ("205", 2), ("206", 10), ("207", 0)])) if call.caller == CALLER else None
    spoke = None if last is None else (last[0], int(call.moment.timestamp()) - last[1] * 86_400)
    return replace(call, answers=found, last_agent=spoke)
