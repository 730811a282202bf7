"""A system that fails in every way there is: the caller lands in time, the trail says what happened."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
import trustme

from rig.asterisk import Landing
from rig.sip import Call

from .engine import Engine, Line, write_configuration
from .faults import FAULTS, NO_TIME, bomb, never_answers, status
from .faulty import Behaviour, Connection, Faulty, good
from .stage import House, Stage, told

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

DEADLINE_S = 2.0
#: How long a breaker is open: longer than two calls take on a busy machine.
PAUSE_S = 3.0
#: A caller who has landed before that has waited for no system: those that hang answer after 20 s, or never.
LATEST_S = 15.0
SETTINGS = "logging: {level: debug}\n"
SEARCH = "search: {field: phone, by: caller}"
FOUND = "rules: [{to: {dialplan: 'office,found,1'}}]"
TLS = {
    "expired": "theirs has expired",
    "self_signed": "signed by nobody trusted here",
    "wrong_name": "theirs is for another host name",
}
#: What an integration's file has more.
MORE = {
    **{f"{ending}_post": "method: POST\n" for ending in ("closed", "reset")},
    "failing": f"breaker: {{failures: 3, pause_s: {PAUSE_S}}}\n",
    "hanging": f"breaker: {{failures: 2, pause_s: {PAUSE_S}}}\n",
    **dict.fromkeys(TLS, "tls: {ca: ca.pem}\n"),
}
PLAIN = ("closed_get", "reset_get", "throttles", "throttles_1_s", "busy_2_s", "moved")
ROUTES = {
    name: f"deadline_s: {DEADLINE_S}\nfiller: none\nsources: [{{integration: {name}, {SEARCH}, {FOUND}}}]\n"
    "default: {to: {dialplan: 'office,default,1'}}\n"
    for name in (*FAULTS, *PLAIN, *MORE)
}


@dataclass
class Systems:
    """What the engine asks: one server without TLS, and three with a certificate that is not to be trusted."""

    plain: Faulty
    folder: Path
    tls: Mapping[str, tuple[Faulty, ssl.SSLContext]]
    trusted: trustme.LeafCert

    def address(self, name: str) -> str:
        """Where an integration's system is."""
        if name in self.tls:
            return f"https://127.0.0.1:{self.tls[name][0].port}/{name}"
        return f"http://127.0.0.1:{self.plain.port}/{name}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def systems(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Systems]:
    await asyncio.to_thread(bomb)
    folder, ca = tmp_path_factory.mktemp("outages"), trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    bad = {
        "expired": ca.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC)),
        "self_signed": trustme.CA().issue_cert("127.0.0.1"),
        "wrong_name": ca.issue_cert("elsewhere.example.com"),
    }
    async with AsyncExitStack() as stack:
        tls = {}
        for name, certificate in bad.items():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            tls[name] = await stack.enter_async_context(Faulty.serving(tls=context)), context
        plain = await stack.enter_async_context(Faulty.serving())
        yield Systems(plain, folder, tls, ca.issue_cert("127.0.0.1"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(house: House, systems: Systems) -> AsyncIterator[Engine]:
    write_configuration(systems.folder, ROUTES, house.middleware.address, SETTINGS)
    for name in ROUTES:
        write_integration(systems.folder, name, systems.address(name), MORE.get(name, ""))
    async with Engine.serving(systems.folder) as engine:
        yield engine
        assert engine.complaints == []


@pytest.fixture
def plain(systems: Systems) -> Faulty:
    return systems.plain


def write_integration(folder: Path, name: str, address: str, more: str = "") -> None:
    text = f"provider: http\naddress: {address}\n{more}models: {{contact: {{fields: {{id: id, tier: tier}}}}}}\n"
    (folder / "integrations" / f"{name}.yaml").write_text(text)


@dataclass(frozen=True)
class Came:
    """How a call ended up: its landing, what the trail says of its source, and how long the caller stood there."""

    landing: Landing
    source: str
    took_s: float

    @property
    def found(self) -> bool:
        """Whether the record was found."""
        return self.landing.exten == "found"


async def lands(engine: Engine, stage: Stage, call: Call) -> Came:
    """Wait for a call's landing, and read its trail."""
    began = call.began_at
    landing = await stage.asterisk.landed(call, "office")
    took_s = asyncio.get_running_loop().time() - began
    line = await engine.logged("call.routed", call_id=landing.uniqueid)
    [outcome] = [one["outcome"] for one in trail_of(line) if one["step"].startswith("source")]
    return Came(landing, outcome, took_s)


def trail_of(line: Line) -> list[dict[str, str]]:
    trail = line["trail"]
    assert isinstance(trail, list)
    return trail


async def comes(stage: Stage, route: str) -> Came:
    return await lands_once(stage.engine, stage, await stage.dial(route))


async def lands_once(engine: Engine, stage: Stage, call: Call) -> Came:
    """Let a call land, and end it: a loop of calls that stay takes all ports for sound that Asterisk has."""
    came = await lands(engine, stage, call)
    await call.hang_up()
    return came


async def until(moment: float) -> None:
    """Let time pass, where it is time itself that is tested."""
    await asyncio.sleep(moment - asyncio.get_running_loop().time())


# ------------------------------------------------------------------------------------------- one fault after the other


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_told_as_it_is_and_the_caller_lands_in_time(stage: Stage, plain: Faulty, fault: str) -> None:
    plain.behaviours[fault], why, times = FAULTS[fault]
    came = await comes(stage, fault)
    assert (came.landing.exten, *told(came.landing, "STATUS", "REASON")) == ("default", "OK", "source_down")
    assert came.source == f"down: {fault}: {why}"
    assert came.took_s < LATEST_S
    assert came.took_s >= DEADLINE_S or why != NO_TIME
    assert len([one for one in plain.asked if one.path == fault]) == times
    plain.behaviours[fault] = good
    again = await comes(stage, fault)
    assert (again.found, again.source) == (True, "1 record")
    assert len(stage.engine.lines("source.down", integration=fault)) == 1
    assert len(stage.engine.lines("source.up", integration=fault)) == 1


def ends_kept_connections(how: str) -> Behaviour:
    """End a connection at the moment when a second request has come over it."""

    async def answers(connection: Connection) -> None:
        if connection.asked == 1:
            await good(connection)
        elif how == "reset":
            connection.reset()
        else:
            connection.writer.close()

    return answers


@pytest.mark.parametrize("how", ["closed", "reset"])
@pytest.mark.parametrize("method", ["get", "post"])
async def test_a_kept_connection_that_ends_as_the_next_request_goes_out_is_nothing_to_a_caller(
    stage: Stage, plain: Faulty, how: str, method: str
) -> None:
    name = f"{how}_{method}"
    plain.behaviours[name] = ends_kept_connections(how)
    calls = [await comes(stage, name) for _ in range(4)]
    assert [(one.found, one.source) for one in calls] == [(True, "1 record")] * 4
    assert len([one for one in plain.asked if one.path == name]) == 4 + 3, "the first came over a new connection"
    assert stage.engine.lines("source.down", integration=name) == []


# --------------------------------------------------------------------------------------------------- being spared


@pytest.mark.parametrize(
    ("name", "answer", "wait_s"),
    [
        ("throttles", status("429 Slow", "Retry-After: 2"), 2),
        ("throttles_1_s", status("429 Slow"), 1),
        ("busy_2_s", status("503 Busy", "Retry-After: 2"), 2),
    ],
)
async def test_a_system_that_asks_to_wait_is_left_alone_for_as_long(
    stage: Stage, plain: Faulty, name: str, answer: Behaviour, wait_s: float
) -> None:
    plain.behaviours[name] = answer
    first = await comes(stage, name)
    plain.behaviours[name] = good
    assert first.source == f"down: {name}: the server answered with status {429 if 'thro' in name else 503}"
    while not (came := await comes(stage, name)).found:
        assert came.source.startswith(f"down: {name}: not asked, it asked for a pause of ")
        assert told(came.landing, "REASON") == ("source_down",)
    one, other = (request.at for request in plain.asked if request.path == name)
    assert other - one >= wait_s


async def test_a_system_that_keeps_failing_is_spared_and_tried_by_one_caller(stage: Stage, plain: Faulty) -> None:
    plain.behaviours["failing"] = status("500 Oops")
    for _ in range(3):
        assert (await comes(stage, "failing")).source == "down: failing: the server answered with status 500"
    spared = await comes(stage, "failing")
    assert spared.source.startswith("down: failing: not asked, it failed 3 times in a row; next try in ")
    await until(plain.asked[-1].at + PAUSE_S + 0.1)
    assert (await comes(stage, "failing")).source == "down: failing: the server answered with status 500"
    assert (await comes(stage, "failing")).source.startswith("down: failing: not asked, it failed 4 times in a row")
    await until(plain.asked[-1].at + PAUSE_S + 0.1)
    tried = asyncio.Event()
    plain.behaviours["failing"] = answers_when(tried)
    probe = await stage.dial("failing")
    await plain.asked.first(lambda one: one.caller == probe.caller)
    others = [await comes(stage, "failing") for _ in range(3)]
    tried.set()
    assert (await lands(stage.engine, stage, probe)).found
    assert {one.source for one in others} == {"down: failing: not asked, it failed 4 times in a row and is being tried"}
    assert (await comes(stage, "failing")).found
    assert len([one for one in plain.asked if one.path == "failing"]) == 3 + 1 + 1 + 1
    assert [len(stage.engine.lines(event, integration="failing")) for event in ("source.down", "source.up")] == [1, 1]


def answers_when(event: asyncio.Event) -> Behaviour:
    async def answers(connection: Connection) -> None:
        await event.wait()
        await good(connection)

    return answers


async def test_after_two_who_waited_in_vain_nobody_waits(stage: Stage, plain: Faulty) -> None:
    plain.behaviours["hanging"] = never_answers
    waited = [await comes(stage, "hanging") for _ in range(2)]
    assert all(DEADLINE_S <= one.took_s < LATEST_S for one in waited)
    spared = await comes(stage, "hanging")
    assert spared.source.startswith("down: hanging: not asked, it failed 2 times in a row;")
    plain.behaviours["hanging"] = good
    await until(plain.asked[-1].at + DEADLINE_S + PAUSE_S + 0.1)
    assert (await comes(stage, "hanging")).found


# ------------------------------------------------------------------------------------------- who it is, and where


@pytest.mark.parametrize("name", TLS)
async def test_a_certificate_that_is_not_to_be_trusted_is_an_outage(stage: Stage, systems: Systems, name: str) -> None:
    server, context = systems.tls[name]
    came = await comes(stage, name)
    assert came.source == f"down: {name}: the TLS connection cannot be made; look at the certificates: {TLS[name]}"
    assert (list(server.asked), told(came.landing, "REASON")) == ([], ("source_down",))
    assert came.took_s < LATEST_S
    systems.trusted.configure_cert(context)
    assert (await comes(stage, name)).found


async def test_a_system_may_move_to_another_address_of_the_configuration(stage: Stage, systems: Systems) -> None:
    assert (await comes(stage, "moved")).found
    async with Faulty.serving("127.0.0.3") as new:
        write_integration(systems.folder, "moved", f"http://127.0.0.3:{new.port}/there")
        await stage.engine.logged("configuration.reloaded")
        call = await stage.dial("moved")
        assert (await lands(stage.engine, stage, call)).found
        assert new.paths(call.caller) == ["there"]


async def test_a_system_whose_name_moves_is_found_by_the_next_caller(
    house: House, stage: Stage, tmp_path: Path
) -> None:
    names = tmp_path / "names.json"
    names.write_text('{"crm.example.com": "127.0.0.2"}')
    program = (sys.executable, Path(__file__).with_name("with_names.py"), names)
    async with AsyncExitStack() as old, AsyncExitStack() as rest:
        before = await old.enter_async_context(Faulty.serving("127.0.0.2"))
        write_configuration(tmp_path, {"moved": ROUTES["moved"]}, house.middleware.address, SETTINGS)
        write_integration(tmp_path, "moved", f"http://crm.example.com:{before.port}/")
        engine = await rest.enter_async_context(Engine.serving(tmp_path, *program))
        own = Stage(house, engine)
        assert (await comes(own, "moved")).found
        await old.aclose()
        after = await rest.enter_async_context(Faulty.serving("127.0.0.3", port=before.port))
        names.write_text(json.dumps({"crm.example.com": "127.0.0.3"}))
        came = await comes(own, "moved")
        assert (came.found, came.source, len(after.asked)) == (True, "1 record", 1)
        assert engine.lines("source.down") == []
