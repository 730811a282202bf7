"""Spans of real calls: their tree, their moments, what is never in them; and a collector over real HTTP."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from core.build import ANNA, DOWN, go, route, rule, say, source
from fakes import FOREVER_S, FakeChannel, FakeLookup
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from structlog.testing import capture_logs

from routing_engine.call import CallRun
from routing_engine.core.asks import Find, SourceDown
from routing_engine.core.destinations import PROFILES
from routing_engine.core.events import CallAbandoned, CallRouted
from routing_engine.core.model import Decision, Destination, Input, Record
from routing_engine.metrics.spans import Traces
from routing_engine.metrics.traces import open_traces

pytestmark = pytest.mark.io

GOLD = Record({"tier": "gold", "company": "Acme"}, "7")


class Memory:
    """Traces that are kept here."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.traces = Traces(SimpleSpanProcessor(self.exporter), "0.1.0")

    @property
    def call(self):
        (found,) = self.named("call")
        return found

    def named(self, name):
        return [one for one in self.exporter.get_finished_spans() if one.name == name]

    @property
    def text(self) -> str:
        return "".join(one.to_json() for one in self.exporter.get_finished_spans())


class Followed:
    """A call as the service follows it: what stands for its channel and look-ups, and its end."""

    def __init__(self, traces, channel, lookup):
        self.traces = traces
        self.channel, self.lookup = traces.around(channel, lookup)

    def finish(self, event, plain):
        self.traces.plain_numbers = plain
        self.traces.call_ended(event)


async def carry(memory, found, channel=None, lookup=None, plain=False, **event):
    """Carry a call as the service does; give its decision."""
    channel, lookup = channel or FakeChannel(ANNA), lookup or FakeLookup()
    followed = Followed(memory.traces, channel, lookup)
    call = CallRun(
        followed.channel, followed.lookup, {found.name: found}.get, PROFILES["plain"], time.monotonic, _raise
    )
    decision = await call.run(found.name)
    followed.finish(routed(channel.caller, decision, took_ms=12.0, **event), plain)
    return decision


def routed(caller, decision, **more):
    return CallRouted(caller, decision.route, decision, **more)


def _raise(error: Exception) -> None:
    raise error


def spans_of(memory: Memory) -> list[str]:
    """The names of a call's parts, in the order they began."""
    parts = [one for one in memory.exporter.get_finished_spans() if one.name != "call"]
    return [one.name for one in sorted(parts, key=lambda one: one.start_time)]


TYPED = Input("order", prompt=("enter",), min=2, max=8)
ASKED = route(
    source("orders", rule("all", go("queue", "sales", "goodbye")), by="{input.order}"),
    instruction=("welcome",),
    inputs=(TYPED,),
)


async def test_a_call_is_one_trace_with_a_span_for_each_thing_that_took_time():
    memory = Memory()
    await carry(memory, ASKED, FakeChannel(ANNA, typed=["4711"]), FakeLookup({"orders": GOLD}))
    assert spans_of(memory) == ["play", "collect", "look up crm", "play", "hand back"]
    spans = memory.exporter.get_finished_spans()
    assert len({one.context.trace_id for one in spans}) == 1
    assert {one.parent.span_id for one in spans if one.parent is not None} == {memory.call.context.span_id}
    assert memory.call.parent is None


async def test_every_part_lies_within_its_call():
    memory = Memory()
    await carry(memory, ASKED, FakeChannel(ANNA, typed=["4711"]), FakeLookup({"orders": GOLD}))
    call = memory.call
    for one in memory.exporter.get_finished_spans():
        assert call.start_time <= one.start_time <= one.end_time <= call.end_time


async def test_a_call_tells_where_it_went_and_what_its_caller_bore():
    memory = Memory()
    await carry(
        memory,
        route(source("customers", rule("gold", go("queue", "vip")))),
        lookup=FakeLookup({"customers": GOLD}),
        waited_s=1.23456,
        silence_s=0.7,
    )
    told = {name.removeprefix("routing_engine."): value for name, value in memory.call.attributes.items()}
    assert told == {
        "call_id": ANNA.call_id, "caller": "...567", "route": "support", "reason": "matched", "source": "customers",
        "rule": "gold", "destination": "queue vip", "revision": "r1", "waited_s": 1.235, "silence_s": 0.7,
    }  # fmt: skip
    assert (memory.call.kind, memory.call.status.status_code) == (SpanKind.SERVER, StatusCode.UNSET)


async def test_a_look_up_that_hid_behind_the_greeting_is_seen_there():
    memory, played = Memory(), asyncio.Event()

    class Greeting(FakeChannel):
        async def play(self, ask):
            await played.wait()
            return await super().play(ask)

    async def answered() -> None:
        played.set()

    await carry(
        memory,
        route(source("customers", rule("all", go("queue", "sales"))), instruction=("welcome",)),
        Greeting(ANNA),
        FakeLookup({"customers": GOLD}, before=answered),
    )
    (look_up,), (greeting,) = memory.named("look up crm"), memory.named("play")
    assert look_up.attributes["routing_engine.early"] is True
    assert greeting.start_time <= look_up.start_time
    assert look_up.end_time <= greeting.end_time


async def test_a_source_that_is_down_is_an_error_of_its_span_alone():
    memory = Memory()
    await carry(memory, route(source("customers")), lookup=FakeLookup({"customers": DOWN}))
    (look_up,) = memory.named("look up crm")
    assert look_up.kind is SpanKind.CLIENT
    assert (look_up.status.status_code, look_up.status.description) == (StatusCode.ERROR, "nobody answers")
    assert look_up.attributes["routing_engine.outcome"] == "down"
    assert memory.call.status.status_code is StatusCode.UNSET


async def test_a_source_that_is_spared_is_told_apart():
    memory = Memory()
    held = SourceDown("crm: not asked, it failed 5 times in a row", asked=False)
    await carry(memory, route(source("customers")), lookup=FakeLookup({"customers": held}))
    assert memory.named("look up crm")[0].attributes["routing_engine.outcome"] == "skipped"


async def test_a_call_that_fell_back_is_an_error():
    memory, channel = Memory(), FakeChannel(ANNA)
    followed = Followed(memory.traces, channel, FakeLookup())
    followed.finish(routed(ANNA, Decision("none", "", "error", None, failed=True)), False)
    assert memory.call.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize(("cause", "status"), [("hung_up", StatusCode.UNSET), ("broken", StatusCode.ERROR)])
async def test_a_caller_who_hangs_up_is_no_error_and_a_broken_connection_is(cause, status):
    memory = Memory()
    followed = Followed(memory.traces, FakeChannel(ANNA), FakeLookup())
    followed.finish(CallAbandoned(ANNA, "support", "Asterisk closed the connection", cause), False)
    assert (memory.call.attributes["routing_engine.abandoned"], memory.call.status.status_code) == (cause, status)


async def test_a_look_up_that_nobody_needs_any_more_is_dropped():
    memory, channel = Memory(), FakeChannel(ANNA)
    lookup = FakeLookup(before=lambda: asyncio.Event().wait())
    followed = Followed(memory.traces, channel, lookup)
    call = CallRun(
        followed.channel, followed.lookup, {"support": route(source("customers"))}.get, {}, time.monotonic, _raise
    )
    task = asyncio.create_task(call.run("support"))
    await lookup.begun.wait()
    channel.hang_up(task)
    await asyncio.gather(task, return_exceptions=True)
    followed.finish(CallAbandoned(ANNA, "support", "the caller hung up"), False)
    assert memory.named("look up crm")[0].attributes["routing_engine.outcome"] == "dropped"


async def test_nothing_that_was_typed_played_searched_or_found_is_in_a_trace():
    memory = Memory()
    said = go("external", "+4319998877", "hello", say("speech", "Good morning {company}"))
    found = route(
        source("orders", rule("all", said), by="{input.order}"),
        instruction=(say("digits", "{call.caller}"), "balance-sevenhundred"),
        inputs=(replace(TYPED, sensitive=True),),
    )
    await carry(memory, found, FakeChannel(ANNA, typed=["98765432"]), FakeLookup({"orders": GOLD}))
    assert [
        text
        for text in ("98765432", "6641234567", "Acme", "gold", "sevenhundred", "Anna", "19998877")
        if text in memory.text
    ] == []


async def test_numbers_are_plain_where_the_site_wants_them_so():
    memory = Memory()
    await carry(memory, route(), plain=True)
    assert memory.call.attributes["routing_engine.caller"] == "+436641234567"


async def test_what_strangers_send_cannot_do_anything_to_a_terminal():
    memory = Memory()
    followed = Followed(memory.traces, FakeChannel(ANNA), FakeLookup())
    followed.finish(CallAbandoned(ANNA, "\x1b[31m" + "x" * 5000, "it broke\n", "broken"), False)
    assert len(memory.call.attributes["routing_engine.route"]) == 200
    assert "\x1b" not in memory.text.encode().decode("unicode_escape")


# Whether there are any, and the way to a collector

WANTED = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
UNWANTED = [
    {},
    {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
    {**WANTED, "OTEL_SDK_DISABLED": "true"},
    {**WANTED, "OTEL_TRACES_EXPORTER": "none"},
    {"OTEL_SERVICE_NAME": "routing"},
]


@pytest.mark.parametrize("variables", UNWANTED, ids=str)
def test_without_a_collector_there_are_no_traces(variables):
    assert open_traces(variables, "0.1.0") is None


def test_a_protocol_that_we_do_not_speak_is_said():
    with capture_logs() as logs:
        assert open_traces({**WANTED, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "0.1.0") is None
    assert [(one["event"], "'grpc'" in one["why"]) for one in logs] == [("traces.unavailable", True)]


WITHOUT_THE_EXTRA = """
import sys
from importlib.abc import MetaPathFinder
class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ImportError(name)
sys.meta_path.insert(0, Missing())
from routing_engine.logger import set_up_log
from routing_engine.metrics import listener, meter, traces
set_up_log("info", "json", sys.stdout)
print(traces.open_traces({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, "1"))
"""


@pytest.mark.io
def test_without_the_extra_it_is_said_and_all_else_works():
    ended = subprocess.run([sys.executable, "-c", WITHOUT_THE_EXTRA], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "None"
    assert "install routing-engine[traces]" in ended.stdout


class Collector:
    """A collector: what it got, and what it answers."""

    def __init__(self) -> None:
        self.got: list[ExportTraceServiceRequest] = []
        self.status = 200
        self.asked = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(ExportTraceServiceRequest.FromString(await request.read()))
        self.asked.set()
        return web.Response(status=self.status)


@pytest.fixture
async def collector(monkeypatch):
    collector, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", collector.take)
    async with TestServer(app) as server:
        for name, value in {"ENDPOINT": str(server.make_url("")).rstrip("/"), "TIMEOUT": "2"}.items():
            monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "site=vienna")
        yield collector


@pytest.mark.io
async def test_a_collector_gets_the_trace_over_http(collector):
    traces = open_traces(os.environ, "0.1.0")
    assert traces is not None
    followed = Followed(traces, FakeChannel(ANNA), FakeLookup())
    await followed.lookup.find(Find(source("customers"), "x", None), 1.0)
    followed.finish(routed(ANNA, Decision("support", "r1", "matched", Destination("queue", "vip"))), False)
    await traces.close()
    (got,) = collector.got
    (resource,) = got.resource_spans
    about = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert (about["service.name"], about["service.version"], about["site"]) == ("routing-engine", "0.1.0", "vienna")
    assert [one.name for one in resource.scope_spans[0].spans] == ["look up crm", "call"]


@pytest.mark.io
async def test_a_collector_that_refuses_is_told_of_once_and_once_when_it_is_back(collector):
    traces = open_traces(os.environ, "0.1.0")
    assert traces is not None
    event = routed(ANNA, Decision("support", "r1", "matched", Destination("queue", "vip")))
    with capture_logs() as logs:
        for collector.status in (400, 400, 200, 200):
            collector.asked.clear()
            Followed(traces, FakeChannel(ANNA), FakeLookup()).finish(event, False)
            await asyncio.wait_for(collector.asked.wait(), FOREVER_S)
        await traces.close()
    assert [one["event"] for one in logs] == ["traces.down", "traces.up"]


@pytest.mark.io
async def test_a_collector_that_hangs_does_not_hold_up_the_stop(monkeypatch):
    over = asyncio.Event()

    async def hang(reader, writer):
        await over.wait()
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")  # what nobody sends again
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
    traces = open_traces(os.environ, "0.1.0")
    assert traces is not None
    followed = Followed(traces, FakeChannel(ANNA), FakeLookup())
    followed.finish(routed(ANNA, Decision("support", "r1", "matched", None)), False)
    await asyncio.wait_for(traces.close(timeout_s=0.2), FOREVER_S)
    over.set()
    for sender in [one for one in threading.enumerate() if one.name == "traces"]:
        await asyncio.to_thread(sender.join, FOREVER_S)
    server.close()
