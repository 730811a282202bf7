"""One call, whoever plays it: an example, `run-test` with canned and with real records, Asterisk, and `call`.

Routes, records, types, keys, languages and moments are made up. All five must come to the same decision.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
import yaml
from aiohttp import web
from hypothesis import HealthCheck, event, given
from hypothesis import strategies as st

from routing_engine.channels.agi.channel import AgiChannel
from routing_engine.channels.agi.server import AgiServer, AgiSettings
from routing_engine.channels.softphone import Softphone, SoftphoneCaller
from routing_engine.cli import main
from routing_engine.cli.run_test import as_json
from routing_engine.config.store import Configuration
from routing_engine.core.destinations import variables
from routing_engine.core.model import Decision
from routing_engine.engine import activate, new_call, open_store
from routing_engine.lookup.cache import Cache
from routing_engine.rehearsal import DryRun, run_examples
from tests.examples import examples
from tests.fakes import Asterisk

pytestmark = pytest.mark.io

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


# ------------------------------------------------------------------------------------------------ made-up calls

TEXTS = st.sampled_from(
    [
        "gold", "Gold ", "0042", "42", "2500", "yes", "false", "0", "", " ", "a\tb", "x\x00y\u202ez", "Müller 😀",
        "A,B", "2026-11-20", "2026-11-20T10:00:00", "2026-11-20T09:00:00+01:00", "2025-01-01", "201", "de",
    ]
)  # fmt: skip
PHONES = st.sampled_from(
    ["+43 664 1234567", "0664/1234567", "436641234567", "+43 1 5550000", "1234567", "", "0664 1234567; 0043 1 5550000"]
)
VALUES: st.SearchStrategy[object] = st.one_of(
    TEXTS,
    st.sampled_from([42, 2500.5, 7.0, 0, -3, True, False, None, [], ["gold", "42"], {"deep": ["a", 1]}, [["x"], "z"]]),
)
FIELDS = ("name", "tier", "owner", "due", "vip")
RECORDS: st.SearchStrategy[list[dict[str, object]]] = st.lists(
    st.builds(
        lambda fields, phone, id_: {"id": id_, **fields, **phone},
        st.dictionaries(st.sampled_from([*FIELDS, "unmapped"]), VALUES, max_size=5),
        st.just({}) | st.builds(lambda phone: {"phone": phone}, PHONES | st.lists(PHONES, min_size=1, max_size=2)),
        st.sampled_from(["7", 8, "a b", True, None]),
    ),
    min_size=1,
    max_size=3,
)
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
    return st.lists(one, max_size=3).map(
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
    asked = [draw(inputs(number)) for number in range(draw(st.integers(0, 2)))]
    searched = [draw(sources(number, bool(asked))) for number in range(draw(st.integers(0, 2)))]
    languages: list[dict[str, object]] = [{}, {}, {"language": "de"}, {"language": {"by": "call.called", "217": "it"}}]
    route = {
        "rules": draw(rules("call", OF_THE_CALL, False)),
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


KEYS = st.text("0123456789*# ", max_size=9) | st.sampled_from(["", "42", "1", "123#", "#", "5#6", "12345678"])


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
            st.sampled_from(["+43 664 1234567", "0664/1234567", "anonymous", "Anonymous", "unknown", "abc", "217"])
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


# --------------------------------------------------------------------------------------------------- five ways


class Crm:
    """A real HTTP server in a thread of its own: what each integration answers to whatever is asked."""

    def __init__(self) -> None:
        self.answers: Mapping[str, Answer] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    async def _start(self) -> int:
        app = web.Application()
        app.router.add_get("/{source}", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def _answer(self, request: web.Request) -> web.Response:
        answer = self.answers.get(f"source {request.match_info['source']}", "none")
        if isinstance(answer, str):
            return web.Response(status=404 if answer == "none" else 500)
        return web.json_response(answer)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="module")
def crm() -> Iterator[Crm]:
    server = Crm()
    yield server
    server.close()


def as_yaml(value: object) -> str:
    """Return YAML without the aliases that PyYAML writes for what stands there twice."""
    return yaml.safe_dump(json.loads(json.dumps(value)))


def write(folder: Path, call: Call, port: int) -> Path:
    """Write the configuration of a call, its example in it; give the file of its canned records."""
    for name in ("integrations", "routes"):
        (folder / name).mkdir()
    (folder / "engine.yaml").write_text(as_yaml({**call.engine, "listeners": {"fastagi": "127.0.0.1:1"}}))
    for number in range(len(call.answers)):
        text = as_yaml({**call.crm, "address": f"http://127.0.0.1:{port}/{number}"})
        (folder / "integrations" / f"crm{number}.yaml").write_text(text)
    (folder / "routes" / "support.yaml").write_text(as_yaml({**call.route, "examples": [call.example()]}))
    canned = folder / "canned.yml"
    canned.write_text(as_yaml(dict(call.answers)))
    return canned


def run_test(folder: Path, call: Call, *more: str) -> dict[str, Any]:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(io.StringIO()) as said:
        main(["run-test", "support", "--json", "--config", str(folder), *call.arguments(), *more])
    assert shown.getvalue(), said.getvalue()
    return dict(json.loads(shown.getvalue()))


def of_example(found: Configuration) -> dict[str, Any]:
    return shown(found, run_examples(found)["support"][0])


def shown(found: Configuration, decision: Decision) -> dict[str, Any]:
    given = variables(decision, "x", found.settings.dialplan.places)
    return dict(json.loads(json.dumps(as_json(DryRun(decision, given, ())))))


async def live(found: Configuration, call: Call) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    """Call the engine as Asterisk and as `call` do; give the decision of the first, and what both were told."""
    active = activate(None, found, Cache(10))
    decisions: list[Decision] = []

    async def carry(channel: AgiChannel) -> None:
        decisions.append(await new_call(channel, active.lookup, found, _raise).run(channel.route))

    server = AgiServer(carry, AgiSettings(found.settings.region, lambda: call.moment))
    await server.listen("127.0.0.1", 0)
    port = int(server.addresses[0].rpartition(":")[2])
    asterisk = as_asterisk(call)
    await asterisk.call(port, **environment(call))
    typed = iter(call.inputs)

    async def keys() -> str:
        return next(typed, "")

    softphone = Softphone(lambda _: None, keys, known={**call.variables, **functions(call)})
    caller = SoftphoneCaller(call.caller, call.caller_name, call.called, call.language)
    await softphone.call("127.0.0.1", port, "support", caller)
    await server.stop(5)
    for part in active.parts:
        await part.close()
    assert len(decisions) == 2
    return shown(found, decisions[0]), asterisk.variables, softphone.variables


def _raise(error: Exception) -> None:
    raise error


def functions(call: Call) -> dict[str, str]:
    return {f"DEVICE_STATE(PJSIP/{name[7:]})": state.upper() for name, state in call.states.items()}


def as_asterisk(call: Call) -> Asterisk:
    known = {name: quote(value, safe="") for name, value in {**call.variables, **functions(call)}.items()}
    tries, keys = [re.sub(r"[^0-9*#]", "", typed) for typed in call.inputs], list[str]()
    if call.ahead:
        keys, tries[0] = [f"{ord(tries[0][0])} endpos=1280"], tries[0][1:]
    return Asterisk(keys=keys, tries=tries or [""], known=known)


def environment(call: Call) -> dict[str, str]:
    withheld = call.caller.lower() == "anonymous"
    number, name = ("unknown", "unknown") if withheld else (call.caller, call.caller_name or "unknown")
    dialled = {"dnid": call.called or "unknown", "extension": call.called}
    about = {"language": call.language or "en", "callingpres": "32" if withheld else "0"}
    return {"network_script": "support", "callerid": number, "calleridname": name, **dialled, **about}


# ------------------------------------------------------------------------------------------------- what is compared


def decision_of(found: dict[str, Any]) -> dict[str, Any]:
    """Return what must be alike: all but times, whose they are, and how an outage is worded."""
    steps = [(step["step"], re.sub("^down: .*", "down", step["outcome"])) for step in found["trail"]]
    trail = [step for step in steps if step[0] != "caller"]
    told = told_of(found["variables"])
    return {**found, "trail": trail, "variables": told, "played": None}


def told_of(given: Mapping[str, str]) -> dict[str, str]:
    own = {"ROUTE_CALL_ID", "CHANNEL(language)", "TIMEOUT(absolute)"}
    return {name: value for name, value in given.items() if name not in own}


def check(call: Call, crm: Crm) -> dict[str, Any]:
    """Hold the five ways against each other; give the decision."""
    crm.answers = call.answers
    with tempfile.TemporaryDirectory() as place:
        canned = write(Path(place), call, crm.port)
        found = open_store(Path(place)).load(examples=False)
        wanted = decision_of(of_example(found))
        records = [f"--records={canned}"] if call.answers else []
        assert decision_of(run_test(Path(place), call, *records)) == wanted, "run-test --records"
        assert decision_of(run_test(Path(place), call)) == wanted, "run-test with real records"
        decision, asterisk, softphone = asyncio.run(live(found, call))
        ahead = {"trail": None} if call.ahead else {}
        assert {**decision_of(decision), **ahead} == {**wanted, **ahead}, "a live call"
        assert told_of(asterisk) == wanted["variables"], "Asterisk"
        assert told_of(softphone) == wanted["variables"], "call"
        return wanted


@given(calls())
@examples(60, unchecked=HealthCheck)
def test_every_way_comes_to_the_same_decision(crm: Crm, call: Call) -> None:
    found = check(call, crm)
    event(found["reason"])
