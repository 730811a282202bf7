"""The FastAGI server against hostile clients, at its limits, and while it stops."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from fakes import SILENCE, Asterisk, environment
from structlog.testing import capture_logs

from routing_engine.channels.agi.connection import MAX_UNREAD_REPLIES
from routing_engine.channels.agi.server import AgiChannel, AgiServer, AgiSettings
from routing_engine.core.asks import Play
from routing_engine.core.ports import Channel
from routing_engine.errors import CallerHungUp, ChannelBroken

from .contract import Seen
from .serving import NOW, finished, holding, port, serving, waiting
from .test_agi import WANTED

pytestmark = pytest.mark.io

# Hostile clients: each ends by itself, and the others go on


@pytest.fixture
async def server() -> AsyncIterator[AgiServer]:
    async with serving(finished, environment_timeout_s=0.5) as found:
        yield found


async def works(server: AgiServer) -> bool:
    asterisk = Asterisk()
    await asterisk.call(port(server))
    return asterisk.variables == {"ROUTE_STATUS": "OK"}


async def test_a_bare_connect_disturbs_nobody(server: AgiServer) -> None:
    for _ in range(500):
        with socket.create_connection(("127.0.0.1", port(server))):
            pass
        await asyncio.sleep(0)
    assert await works(server)


@pytest.mark.parametrize("begin", [b"", b"agi_network: yes\n", b"agi_netw"], ids=["nothing", "a line", "half a line"])
async def test_an_environment_that_never_ends_is_cut(server: AgiServer, begin: bytes) -> None:
    asterisk = Asterisk()
    await asterisk.connect(port(server))
    asterisk.send(begin)
    assert await asterisk.ended() == b""
    assert await works(server)


async def test_bytes_one_by_one_do_not_extend_the_time(server: AgiServer) -> None:
    asterisk = Asterisk()
    await asterisk.connect(port(server))
    end = asyncio.create_task(asterisk.ended())
    while not end.done():
        asterisk.send(b"agi_x: y\n")
        await asyncio.wait([end], timeout=0.01)
    assert await works(server)


HOSTILE = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "binary": bytes(range(256)) * 16,
    "an endless line": b"agi_x: " + b"x" * 200_000,
    "too many lines": b"".join(b"agi_arg_%d: x\n" % n for n in range(5000)),
    "replies without a command": environment() + b"200 result=0\n" * (MAX_UNREAD_REPLIES + 1),
    "garbage for a reply": environment() + b"\xff\xfe\n",
    "two environments": environment() * 2,
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_client_is_cut(name: str) -> None:
    hostile, seen = Asterisk(), Seen()
    async with serving(holding(waiting, seen)) as server:
        await hostile.connect(port(server))
        hostile.send(HOSTILE[name])
        assert await hostile.ended() == b""
    assert not isinstance(seen.lost, CallerHungUp)


async def test_the_time_for_the_environment_does_not_bound_the_call() -> None:
    async def talk(channel: Channel) -> None:
        await silent.connect(port(server))
        await silent.ended()  # for it was cut after that time
        await finished(channel)

    asterisk, silent = Asterisk(), Asterisk()
    async with serving(talk, environment_timeout_s=0.5) as server:
        await asterisk.call(port(server))
    assert asterisk.variables == {"ROUTE_STATUS": "OK"}


async def test_a_client_that_stops_answering_is_cut_after_the_limit() -> None:
    asterisk, seen = Asterisk(on={"STREAM FILE": SILENCE}), Seen()

    async def talk(channel: Channel) -> None:
        await channel.begin(0, "", ())
        await channel.play(Play(("a",)))

    async with serving(holding(talk, seen), reply_timeout_s=0.05) as server:
        await asterisk.call(port(server))
    assert str(seen.lost) == "Asterisk did not answer in time"


async def test_a_client_that_does_not_answer_before_any_step_that_lasts_is_cut_too() -> None:
    asterisk, seen = Asterisk(on={"ANSWER": SILENCE}), Seen()

    async def talk(channel: Channel) -> None:
        await channel.begin(0, "", ())
        await channel.answer("before_prompts")

    async with serving(holding(talk, seen), reply_timeout_s=0.05) as server:
        await asterisk.call(port(server))
    assert str(seen.lost) == "Asterisk did not answer in time"


async def test_a_client_that_answers_every_command_is_not_cut_however_long_all_of_them_take() -> None:
    asterisk, silent, begun, cut = Asterisk(), Asterisk(on={"ANSWER": SILENCE}), asyncio.Event(), asyncio.Event()

    async def talk(channel: Channel) -> None:
        await channel.begin(0, "", ())
        begun.set()
        try:
            while not cut.is_set():
                await channel.answer("before_prompts")
        finally:
            cut.set()
        await channel.hand_back(WANTED)

    async with serving(holding(talk, Seen()), reply_timeout_s=1) as server:
        calling = asyncio.ensure_future(asterisk.call(port(server)))
        await begun.wait()
        await silent.call(port(server))  # cut after the limit, which the other's first command is beyond by then
        await calling
    assert asterisk.variables == dict(WANTED)


async def test_a_client_that_goes_while_the_decision_is_sent_is_gone_and_no_fault_of_ours() -> None:
    client, seen = socket.socket(), Seen()

    async def talk(channel: Channel) -> None:
        client.close()  # and the loop hears of it when the decision is on its way
        await channel.hand_back(WANTED)

    async with serving(holding(talk, seen)) as server:
        client.connect(("127.0.0.1", port(server)))
        client.sendall(environment())
        await seen.over.wait()
        await closed(server)
    assert isinstance(seen.raised, ChannelBroken)


async def test_a_client_that_never_takes_the_decision_is_cut_after_the_limit() -> None:
    asterisk, seen = Asterisk(on={"SET VARIABLE": SILENCE}), Seen()
    async with serving(holding(lambda channel: channel.hand_back(WANTED), seen), reply_timeout_s=0.05) as server:
        await asterisk.call(port(server))
        await closed(server)
    assert isinstance(seen.raised, ChannelBroken)


async def test_a_client_that_never_reads_is_cut_after_the_limit() -> None:
    asterisk, seen = Asterisk(), Seen()

    async def talk(channel: Channel) -> None:
        await channel.begin(0, "", ())
        await channel.hand_back([("X", "x" * 8000)] * 2000)

    async with serving(holding(talk, seen), reply_timeout_s=0.05) as server:
        await asterisk.connect(port(server))
        asterisk.writer.transport.pause_reading()  # type: ignore[attr-defined]
        asterisk.send(environment() + b"200 result=1\n")
        await closed(server)
        asterisk.writer.transport.abort()
    assert isinstance(seen.raised, ChannelBroken)


async def closed(server: AgiServer) -> None:
    """Wait until no session is left: what closes it is the server's own timer."""
    while server._sessions:
        await asyncio.sleep(0.001)


async def test_sessions_above_the_limit_are_refused_and_the_others_go_on() -> None:
    first, second, gate = Asterisk(), Asterisk(), asyncio.Event()

    async def talk(channel: Channel) -> None:
        await gate.wait()
        await finished(channel)

    async with serving(talk, sessions=1) as server:
        task = asyncio.create_task(first.call(port(server)))
        while not server.calls:
            await asyncio.sleep(0)
        await second.connect(port(server))
        assert await second.ended() == b""
        gate.set()
        await task
        assert (server.refused, first.variables) == (1, {"ROUTE_STATUS": "OK"})


async def test_a_session_that_ended_makes_room_for_the_next() -> None:
    async with serving(finished, sessions=1) as server:
        for _ in range(5):
            assert await works(server)
            await closed(server)


async def test_a_machine_without_a_file_for_a_connection_takes_it_when_there_is_one_again() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with serving(finished) as server:
        asterisk = Asterisk()
        with capture_logs() as logs, files_used_up():
            await asterisk.connect(port(server))
            while not logs:
                await asyncio.sleep(0)
        asterisk.send(environment())
        await asterisk.serve()
    assert (asterisk.variables, [line["event"] for line in logs]) == ({"ROUTE_STATUS": "OK"}, ["agi.no_room"])
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (soft, hard)


@contextmanager
def files_used_up() -> Iterator[None]:
    """Leave this process one file, for the client."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as next_one:
        resource.setrlimit(resource.RLIMIT_NOFILE, (next_one.fileno() + 1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_name_with_several_addresses_is_listened_on_at_each() -> None:
    server = AgiServer(finished, AgiSettings("AT", lambda: NOW))
    await server.listen("localhost", 0)
    assert {address.rpartition(":")[0] for address in server.addresses} <= {"127.0.0.1", "::1"}
    assert await server.stop(0) == 0


# Stopping


async def stopping(drain_s: float) -> tuple[int, Seen, Asterisk]:
    """Stop a server that carries one call, and let that go on when the server no longer listens."""
    asterisk, seen, gate = Asterisk(), Seen(), asyncio.Event()

    async def talk(channel: Channel) -> None:
        await gate.wait()
        await finished(channel)

    async with serving(holding(talk, seen)) as server:
        task = asyncio.create_task(asterisk.call(port(server)))
        await seen.begun.wait()
        if drain_s:
            asyncio.get_running_loop().call_soon(gate.set)
        late = await server.stop(drain_s)
        await task
    return late, seen, asterisk


async def test_a_call_under_way_finishes_while_the_server_stops() -> None:
    late, seen, asterisk = await stopping(60)
    assert (late, seen.raised, asterisk.variables) == (0, None, {"ROUTE_STATUS": "OK"})


async def test_a_call_that_takes_too_long_is_ended() -> None:
    late, seen, asterisk = await stopping(0)
    assert (late, asterisk.variables) == (1, {})
    assert isinstance(seen.raised, asyncio.CancelledError)


async def test_a_server_that_stops_takes_no_new_call() -> None:
    asterisk, gate, begun = Asterisk(), asyncio.Event(), list[str]()

    async def talk(channel: AgiChannel) -> None:
        begun.append(channel.route)
        await gate.wait()

    async with serving(talk) as server:
        late = Asterisk()
        await late.connect(port(server))
        call = asyncio.create_task(asterisk.call(port(server)))
        while not server.calls:
            await asyncio.sleep(0)
        stop = asyncio.create_task(server.stop(60))
        await asyncio.sleep(0)
        late.send(environment(network_script="late"))
        assert await late.ended() == b""
        gate.set()
        await asyncio.gather(stop, call)
    assert begun == ["support"]


async def test_whoever_waits_for_stop_waits_no_longer_when_all_calls_are_ended() -> None:
    asterisk, seen = Asterisk(), Seen()
    async with serving(holding(waiting, seen)) as server:
        task = asyncio.create_task(asterisk.call(port(server)))
        while not server.calls:
            await asyncio.sleep(0)
        stop = asyncio.create_task(server.stop(60))
        await asyncio.sleep(0)
        server.end_now()
        assert await stop == 0
        await task


async def test_stopping_a_server_that_never_listened_is_nothing() -> None:
    assert await AgiServer(finished, AgiSettings("AT", lambda: NOW)).stop(1) == 0


async def test_a_taken_address_is_an_error_of_the_system() -> None:
    async with serving(finished) as server:
        with pytest.raises(OSError, match=r".+"):
            await AgiServer(finished, AgiSettings("AT", lambda: NOW)).listen("127.0.0.1", port(server))
