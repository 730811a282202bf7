"""The listener over real HTTP: what scrapers and health checks get, and what hostile ones cannot do."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterable
from ipaddress import ip_network

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.registry import Collector
from structlog.testing import capture_logs

from routing_engine.connections import AccessList
from routing_engine.core.events import Reading
from routing_engine.metrics.listener import MetricsListener
from tests.fakes import FOREVER_S

from .scene import Counted, get, listening, routed, samples, taken

pytestmark = pytest.mark.io

OPENMETRICS = "application/openmetrics-text"
#: What Prometheus 3 sends.
ACCEPT = f"{OPENMETRICS};version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


async def raw(listener: MetricsListener, sent: bytes, end: bool = False) -> bytes:
    """What comes back until the connection is over."""
    host, port = listener.addresses[0].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(sent)
        if end:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), FOREVER_S)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_scrape_is_what_prometheus_reads():
    found = Counted()
    found.publish(routed())
    async with listening(found) as listener:
        status, content_type, text = await get(listener, "/metrics")
    assert (status, content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert samples(text)["routing_engine_calls_total", (("reason", "matched"), ("route", "support"))] == 1
    assert ("routing_engine_ready", ()) in samples(text)


async def test_a_scraper_that_wants_openmetrics_gets_it():
    async with listening(Counted()) as listener:
        _, content_type, text = await get(listener, "/metrics", headers={"Accept": ACCEPT})
    families = {family.name: family for family in read_openmetrics(text)}
    assert content_type.startswith(f"{OPENMETRICS}; version=1.0.0")
    assert families["routing_engine_calls"].type == "counter"
    assert families["routing_engine_configuration"].type == "info"


@pytest.mark.parametrize("accept", ["", OPENMETRICS])
async def test_both_forms_hold_the_same_samples_however_many_there_are(accept):
    found = Counted()
    found.publish(taken("big", [f"route-{number}" for number in range(40)]))
    for number in range(40):
        found.publish(routed(f"route-{number}", waited_s=number / 10))
    text = await found.text(accept)
    read = read_openmetrics(text) if accept else None
    seen = (
        {(one.name, tuple(sorted(one.labels.items()))): one.value for family in read for one in family.samples}
        if read
        else samples(text)
    )
    wanted = {
        (one.name, tuple(sorted(one.labels.items()))): one.value
        for family in found.families()
        for one in family.samples
        if not one.name.endswith("_created") and not one.name.startswith("process_")
    }
    assert {key: number for key, number in seen.items() if not key[0].startswith("process_")} == wanted


async def test_calls_go_on_while_a_scrape_is_made():
    found, went_on = Counted(), threading.Event()

    class Slow(Collector):
        def collect(self) -> Iterable[Metric]:
            assert went_on.wait(30), "the event loop stood still"
            return ()

        def describe(self) -> Iterable[Metric]:
            return ()

    found.meter.registry.register(Slow())
    scrape = asyncio.create_task(found.text())
    asyncio.get_running_loop().call_later(0.01, went_on.set)
    assert "routing_engine_ready" in await scrape


async def test_ready_says_why_it_is_not():
    why = [""]
    async with listening(Counted(), not_ready=lambda: why[0]) as listener:
        assert await get(listener, "/ready") == (200, "text/plain; charset=utf-8", "ready\n")
        why[0] = "the service is draining: it takes no new calls"
        assert (await get(listener, "/ready"))[::2] == (503, "the service is draining: it takes no new calls\n")
        assert ("routing_engine_ready", ()) in samples((await get(listener, "/metrics"))[2])
        assert (await get(listener, "/live"))[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("POST", "/metrics", 405),
        ("HEAD", "/ready", 200),
        ("GET", "/ready?x=1", 200),
        ("DELETE", "/", 405),
    ],
)
async def test_only_three_things_can_be_asked_for(method, path, status):
    async with listening(Counted()) as listener:
        assert (await get(listener, path, method))[0] == status


async def test_a_connection_carries_one_request_and_tells_no_versions():
    request = b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n"
    async with listening(Counted()) as listener:
        answer = await raw(listener, request * 3)
    assert answer.count(b"HTTP/1.1 200") == 1
    assert b"Server: routing-engine\r\n" in answer
    assert b"aiohttp" not in answer


async def test_a_fault_of_ours_is_logged_and_the_next_scrape_works():
    faults = iter([ZeroDivisionError("+436641234567")])

    def calls() -> list[Reading]:
        for fault in faults:
            raise fault
        return []

    async with listening(Counted(calls)) as listener:
        with capture_logs() as logs:
            assert (await get(listener, "/metrics"))[0] == 500
        assert (await get(listener, "/metrics"))[0] == 200
    assert [one["event"] for one in logs] == ["listener.failed"]
    assert "664" not in str(logs)


HOSTILE = {
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
    "a header of a megabyte": b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "a line of a megabyte": b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n",
    "ten thousand headers": b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
    "two lengths": b"GET /live HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "a length that is none": b"GET /live HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "a bad chunk": b"POST /live HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    "control characters": b"GET /\x1b[31m\x00 HTTP/1.1\r\n\r\n",
    "an agi call": b"agi_network: yes\nagi_request: agi://x/support\n\n",
    "a socket that wants more": b"GET /live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
}


@pytest.mark.parametrize("sent", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_request_ends_quietly(sent, capfd):
    async with listening(Counted(), longest_s=0.5) as listener:
        with capture_logs() as logs:
            answer = await raw(listener, sent)
        assert answer == b"" or answer.startswith(b"HTTP/1.")
        assert (await get(listener, "/live"))[0] == 200
    assert logs == []
    assert capfd.readouterr() == ("", "")


SLOW = {
    "nothing": b"",
    "half a header": b"GET /metrics HTTP/1.1\r\nHos",
    "half a body": b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc",
}


@pytest.mark.parametrize("sent", SLOW.values(), ids=SLOW.keys())
async def test_who_sends_nothing_more_is_cut_off(sent):
    async with listening(Counted(), longest_s=0.2) as listener:
        async with asyncio.timeout(FOREVER_S):
            await raw(listener, sent)


async def test_who_does_not_read_is_cut_off():
    found = Counted()
    found.publish(taken("big", [f"route-{'x' * 60}-{number}" for number in range(3000)]))
    async with listening(found, longest_s=1.5) as listener:
        host, port = listener.addresses[0].split(":")
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, (host, int(port)))
            await loop.sock_sendall(deaf, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            while not listener.connections:
                await asyncio.sleep(0.01)
            async with asyncio.timeout(FOREVER_S):
                while listener.connections:
                    await asyncio.sleep(0.05)


LIVE = b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n"


async def test_a_health_check_is_answered_however_many_connections_say_nothing():
    async with listening(Counted(), most=3) as listener:
        host, port = listener.addresses[0].split(":")
        held = [await asyncio.open_connection(host, int(port)) for _ in range(3)]
        held[1][1].write(b"GET /live HTTP/1.1\r\n")  # no request yet
        while listener.connections < 3:
            await asyncio.sleep(0.01)
        for _ in range(5):
            assert b"alive" in await raw(listener, LIVE)
        held[2][1].write(LIVE)
        assert b"alive" in await held[2][0].read()
        for _, writer in held:
            writer.close()


async def test_only_who_is_allowed_reads_the_figures():
    async with listening(Counted(), access=AccessList((ip_network("10.0.0.5"),))) as listener:
        assert await raw(listener, LIVE) == b""
        listener.change(AccessList((ip_network("127.0.0.1"),)))
        assert b"alive" in await raw(listener, LIVE)


async def test_stop_lets_go_of_the_port_and_of_everybody():
    listener = MetricsListener(Counted())
    await listener.listen("127.0.0.1", 0)
    host, port = listener.addresses[0].split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    await asyncio.wait_for(listener.stop(), FOREVER_S)
    with pytest.raises(OSError):
        await asyncio.open_connection(host, int(port))
    writer.close()
    assert listener.connections == 0


async def test_an_address_that_is_taken_is_said():
    async with listening(Counted()) as listener:
        host, port = listener.addresses[0].split(":")
        with pytest.raises(OSError):
            await MetricsListener(Counted()).listen(host, int(port))
