"""Who may use the FastAGI listener: addresses, the secret, and who goes when there is no room."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from ipaddress import ip_network

import pytest
from fakes import Asterisk
from structlog.testing import capture_logs

from routing_engine.channels.agi.server import AgiServer
from routing_engine.channels.agi.wire import Environment, keys_sent
from routing_engine.connections import AccessList, RefusedConnections, is_loopback, make_room_for

from .serving import finished, port, serving, waiting

pytestmark = pytest.mark.io

SECRET = "s3cr3t+/="


async def served(server: AgiServer, **changed: str) -> bool:
    asterisk = Asterisk()
    try:
        await asterisk.call(port(server), **changed)
    except ConnectionError:
        return False
    finally:
        asterisk.writer.close()
    return asterisk.variables == {"ROUTE_STATUS": "OK"}


@pytest.mark.parametrize(
    ("allow", "comes_in"),
    [
        (None, True),
        (("127.0.0.1",), True),
        (("10.0.0.5", "127.0.0.0/8"), True),
        (("10.0.0.5", "127.0.0.2", "::1"), False),
    ],
)
async def test_only_who_is_allowed_comes_in(allow: tuple[str, ...] | None, comes_in: bool) -> None:
    networks = None if allow is None else tuple(map(ip_network, allow))
    async with serving(finished, access=AccessList.of("127.0.0.1", networks)) as server:
        assert await served(server) is comes_in
        assert server.refused == (0 if comes_in else 1)


@pytest.mark.parametrize(
    ("host", "allow", "peer", "comes_in"),
    [
        ("127.0.0.1", None, "127.0.0.9", True),
        ("::1", None, "::1", True),
        ("localhost", None, "10.0.0.5", False),
        ("0.0.0.0", None, "10.0.0.5", True),
        ("0.0.0.0", ("10.0.0.0/24",), "10.0.0.5", True),
        ("::", ("10.0.0.0/24",), "::ffff:10.0.0.5", True),
        ("::", ("fe80::/10",), "fe80::1%eth0", True),
        ("::", ("10.0.0.0/24",), "10.0.1.5", False),
        ("::", ("10.0.0.0/24",), "", False),
    ],
)
def test_without_a_list_loopback_is_for_this_machine(
    host: str, allow: tuple[str, ...] | None, peer: str, comes_in: bool
) -> None:
    networks = None if allow is None else tuple(map(ip_network, allow))
    assert AccessList.of(host, networks).admits(peer) is comes_in


@pytest.mark.parametrize(
    ("script", "arguments", "comes_in"),
    [
        ("support?key=s3cr3t+/=", {}, True),
        ("support?language=de&key=s3cr3t%2B%2F%3D", {}, True),
        ("support", {"arg_1": "key=s3cr3t+/="}, True),
        ("support", {}, False),
        ("support?key=", {}, False),
        ("support?key=s3cr3t", {}, False),
        ("support?other=s3cr3t+/=", {}, False),
    ],
)
async def test_a_listener_with_a_secret_hears_only_who_knows_it(
    script: str, arguments: dict[str, str], comes_in: bool
) -> None:
    async with serving(finished, access=AccessList(secret=SECRET)) as server:
        with capture_logs() as logs:
            assert await served(server, network_script=script, **arguments) is comes_in
        assert [one["event"] for one in logs] == ([] if comes_in else ["agi.refused"])
        assert "s3cr3t" not in str(logs)


async def test_the_secret_is_no_part_of_the_route() -> None:
    found = keys_sent(Environment({"network_script": "support?key=a%20b"}, ("key=c", "x")))
    assert found == ("a%20b", "c", "a b", "c")
    assert SECRET not in repr(AccessList(secret=SECRET))


async def test_silent_connections_make_room_for_a_call_the_oldest_first() -> None:
    silent = [Asterisk() for _ in range(3)]
    async with serving(finished, sessions=3, environment_timeout_s=60) as server:
        for one in silent:
            await one.connect(port(server))
        while len(server._sessions) < 3:
            await asyncio.sleep(0)
        with capture_logs() as logs:
            assert await served(server)
        assert await silent[0].ended() == b""
        assert (server.refused, len(server._sessions) >= 2) == (1, True)
        for one in silent:
            one.writer.close()
    assert [(one["event"], one["addresses"]) for one in logs] == [("agi.refused", ["127.0.0.1 (1)"])]


async def test_a_call_never_makes_room_for_another() -> None:
    first = Asterisk()
    async with serving(waiting, sessions=1) as server:
        task = asyncio.create_task(first.call(port(server)))
        while not server.calls:
            await asyncio.sleep(0)
        assert not await served(server)
        assert server.calls == 1
        await server.stop(0)
        await task


Said = list[tuple[int, Sequence[str], Sequence[str]]]


def refusals(said: Said, every_s: float = 60) -> RefusedConnections:
    return RefusedConnections(lambda *line: said.append(line), every_s)


async def test_many_refusals_are_one_line_with_their_count_and_addresses() -> None:
    said: Said = []
    refused = refusals(said)
    for number in range(100):
        refused.note(f"192.0.2.{number % 3}", "not in 'allow'")
    refused.close()
    assert said[0] == (1, ["192.0.2.0 (1)"], ["not in 'allow'"])
    assert said[1:] == [(99, ["192.0.2.1 (33)", "192.0.2.2 (33)", "192.0.2.0 (33)"], ["not in 'allow'"])]


async def test_what_is_refused_meanwhile_is_said_when_the_time_is_up() -> None:
    said: Said = []
    refused = refusals(said, every_s=0.001)
    refused.note("192.0.2.1", "why")
    refused.note("192.0.2.2", "why")
    while len(said) < 2:
        await asyncio.sleep(0.001)
    refused.close()
    assert refused.count == 2


async def test_addresses_that_are_remembered_are_bounded() -> None:
    refused = refusals([])
    for number in range(5000):
        refused.note(f"2001:db8::{number:x}", "why")
    assert len(refused._addresses) <= 1000
    refused.close()


def test_what_this_machine_alone_reaches_is_told_from_the_address() -> None:
    assert [host for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "pbx") if is_loopback(host)] == [
        "127.0.0.1",
        "::1",
        "localhost",
    ]


def test_a_limit_of_files_that_does_not_fit_is_told() -> None:
    assert make_room_for(10) == 10
    assert make_room_for(10**9) < 10**9


FEW_FILES = """
import resource
from routing_engine.connections import make_room_for
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 600))
print(make_room_for(50), make_room_for(5000), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.io
def test_a_limit_of_open_files_that_is_too_low_for_the_sessions_is_known() -> None:
    found = subprocess.run([sys.executable, "-c", FEW_FILES], capture_output=True, text=True, check=True)
    enough, too_few, raised = map(int, found.stdout.split())
    assert (enough >= 50, too_few < 5000, raised) == (True, True, 600)
