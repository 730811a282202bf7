"""The provider of Asterisk's own database against a real Asterisk."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import example, given
from hypothesis import strategies as st

from rig.asterisk import Asterisk, find_asterisk
from routing_engine.core.model import Record
from routing_engine.core.phone import Number, read_line
from routing_engine.core.ports import Provider, Query
from routing_engine.errors import ProviderMisread, ProviderRefused, ProviderUnreachable
from tests.acceptance.stage import House
from tests.examples import examples
from tests.fakes import FOREVER_S
from tests.providers.contract import CUSTOMERS, REGION, ProviderContract, by_field, ids

from .opened import PASSWORD, opened
from .whole_call import landed

pytestmark = [pytest.mark.servers, pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

MODELS = """
models:
  contact:
    fields: {id: id, number: customer_number, name: full_name, city: city, phone: phone}
    numbers: [phone]
    record_url: 'https://crm.example.com/contacts/{id}'
"""
PLAIN = "models: {contact: {}}\n"
KEYS = "keys: {contact: {by_caller: 'phone/{number}', by_field: {number: 'customer/{value}'}}}\n"


def yaml(asterisk: Asterisk, user: str = "engine", models: str = MODELS, keys: str = KEYS) -> str:
    address = f"ami://127.0.0.1:{asterisk.ports.manager}"
    return f"provider: astdb\naddress: {address}\nuser: {user}\npassword: '${{PASSWORD}}'\n{keys}{models}"


async def put(asterisk: Asterisk, family: str, key: str, value: str) -> None:
    await asterisk.ami.action("DBPut", Family=family, Key=key, Val=value)


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def customers(asterisk: Asterisk) -> None:
    for row in CUSTOMERS:
        text = json.dumps(row, ensure_ascii=False)
        await put(asterisk, "customer", str(row["customer_number"]), text)
        if row["phone"]:
            await put(asterisk, "phone", read_line(str(row["phone"]), REGION) or "", text)
    await put(asterisk, "vip", "+436641234567", "gold")


@pytest_asyncio.fixture(loop_scope="session")
async def provider(asterisk: Asterisk) -> AsyncIterator[Provider]:
    provider = opened(yaml(asterisk))
    yield provider
    await provider.close()


async def find(text: str, query: Query, folder: Path = Path(), password: str = PASSWORD) -> Sequence[Record]:
    """What a provider of its own finds."""
    provider = opened(text, folder, password)
    try:
        return await provider.find(query)
    finally:
        await provider.close()


async def test_a_caller_of_the_vip_list_gets_to_the_queue_of_the_rule(house: House) -> None:
    await house.asterisk.command("database put vip +436641234567 gold")
    text = yaml(house.asterisk, "rig", PLAIN, "keys: {contact: {by_caller: 'vip/{number}'}}\n")
    rule = "when: {value: gold}, to: {queue: vip}"
    landing = await landed(house, text, rule, caller="+436641234567", secret=house.asterisk.secret)
    assert (landing.exten, landing.variables["ROUTE_REASON"]) == ("vip", "matched")


class TestAstdb(ProviderContract):
    """The contract, but for what no key-value store can do: it has no search, only keys.

    A value leads to one record, so there is no "several records"; and a field can be searched only where `keys` has a
    key for it, so the city is not.
    """

    async def test_several_records_keep_their_order(self, provider: Provider) -> None:
        with pytest.raises(ProviderRefused, match=r"has no by_field: \{city: \.\.\.\}"):
            await provider.find(by_field("city", "Linz"))

    async def test_a_value_full_of_signs_is_found_literally(self, provider: Provider) -> None:
        assert ids(await provider.find(by_field("number", "1' OR '1'='1"))) == ["4"]


@pytest.mark.parametrize(
    ("stored", "fields"),
    [
        ("gold", {"value": "gold"}),
        ("Jörg: Åse, ${EXTEN} [1]", {"value": "Jörg: Åse, ${EXTEN} [1]"}),
        (
            '{"tier": "gold", "since": 2019}',
            {"value": '{"tier": "gold", "since": 2019}', "tier": "gold", "since": 2019},
        ),
        ("{no JSON", {"value": "{no JSON"}),
    ],
)
async def test_a_value_is_a_field_and_so_are_the_members_of_an_object(
    asterisk: Asterisk, stored: str, fields: dict[str, object]
) -> None:
    await put(asterisk, "vip", "7", stored)
    text = yaml(asterisk, models=PLAIN, keys="keys: {contact: {by_field: {id: 'vip/{value}'}}}\n")
    (record,) = await find(text, by_field("id", "7"))
    assert record.fields == fields


async def test_an_administrator_reads_what_is_wrong(asterisk: Asterisk) -> None:
    with pytest.raises(ProviderRefused, match="refused the manager's user or password") as caught:
        await find(yaml(asterisk), by_field("number", "4711"), password="wr0ng")
    assert not {"wr0ng", "4711"} & set(str(caught.value).split())
    with pytest.raises(ProviderRefused, match="it needs write = reporting"):
        await find(yaml(asterisk, "nobody"), by_field("number", "0042"))
    with pytest.raises(ProviderUnreachable, match="nobody accepts connections"):
        await find(yaml(asterisk).replace(f":{asterisk.ports.manager}", ":1"), by_field("number", "0042"))


@pytest.mark.parametrize(("user", "refused"), [("engine", False), ("nobody", True)])
async def test_a_check_reads_a_key_of_each_kind(asterisk: Asterisk, user: str, refused: bool) -> None:
    provider = opened(yaml(asterisk, user))
    with pytest.raises(ProviderRefused, match="write = reporting") if refused else nullcontext():
        assert "each of the 2 kinds" in await provider.check()  # type: ignore[attr-defined]
    await provider.close()


async def test_what_is_no_asterisk_is_told(asterisk: Asterisk) -> None:
    async def shell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_10.0\r\n")
        writer.close()

    server = await asyncio.start_server(shell, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(ProviderMisread, match="what answers is not Asterisk's manager interface"):
        await find(yaml(asterisk).replace(f":{asterisk.ports.manager}", f":{port}"), by_field("number", "0042"))
    server.close()


async def test_tls_is_spoken_with_a_server_of_our_authority(
    asterisk: Asterisk, certificate: tuple[Path, Path], manager_tls_port: int
) -> None:
    text = yaml(asterisk).replace(f"ami://127.0.0.1:{asterisk.ports.manager}", f"amis://127.0.0.1:{manager_tls_port}")
    folder = certificate[0].parent
    assert ids(await find(f"{text}tls: {{ca: ca.pem}}\n", by_field("number", "0042"), folder)) == ["2"]
    with pytest.raises(ProviderRefused, match="certificate is not trusted"):
        await find(text, by_field("number", "0042"))


async def test_the_secret_never_crosses_the_network() -> None:
    heard = list[bytes]()

    async def manager(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        for answer in (b"Response: Success\r\nChallenge: 123456", b"Response: Error\r\nMessage: Authentication failed"):
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            number = next(line for line in heard[-1].split(b"\r\n") if line.startswith(b"ActionID"))
            writer.write(answer + b"\r\n" + number + b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(manager, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    text = f"provider: astdb\naddress: ami://127.0.0.1:{port}\nuser: engine\npassword: '${{PASSWORD}}'\n{KEYS}{MODELS}"
    with pytest.raises(ProviderRefused):
        await find(text, by_field("number", "0042"))
    server.close()
    assert len(heard) == 2
    assert PASSWORD.encode() not in b"".join(heard)


TEXT = st.text(max_size=30) | st.text("\r\n:/%_*${}[]\0 '\"+0", max_size=12)


@examples(300)
@given(TEXT)
@example("0042\r\n\r\nAction: DBDel\r\nFamily: customer\r\nKey: 123456")
@example("0042\r\nKey: 123456")
@example("%")
@example("*")
@example("_042")
@example("0042/../../vip")
@example("${EXTEN}")
@example("' OR 1=1")
@example("}}{{")
@example("\0")
@example("\u2028Key: 1")
@example("\ud800")
async def test_no_text_changes_what_is_asked(asterisk: Asterisk, provider: Provider, text: str) -> None:
    known = {str(row["customer_number"]) for row in CUSTOMERS}
    by_number = Query("contact", "", text, True, Number(text, text, text, text))
    for query in (by_field("number", text), by_number):
        if text:
            assert bool(await provider.find(query)) == (not query.by_caller and text.strip() in known)
        else:
            with pytest.raises(ProviderRefused, match="nothing to search by"):
                await provider.find(query)
    assert ids(await provider.find(by_field("number", "123456"))) == ["1"]


async def test_what_another_wrote_into_a_value_is_no_answer_to_us(asterisk: Asterisk, provider: Provider) -> None:
    await asterisk.ami.action("Originate", Channel="Local/s@forging", Application="NoOp", Async="true")
    await asterisk.wait_event("UserEvent", UserEvent="Forged")
    gone = asyncio.ensure_future(provider.find(by_field("number", "forged")))
    found = await asyncio.gather(*(provider.find(by_field("number", "123456")) for _ in range(20)))
    assert [ids(one) for one in found] == [["1"]] * 20
    with pytest.raises(ProviderMisread):
        await gone


async def test_questions_run_side_by_side_on_one_connection(provider: Provider) -> None:
    wanted = ["123456", "0042", "345678"] * 30
    found = await asyncio.gather(*(provider.find(by_field("number", one)) for one in wanted))
    assert [ids(one) for one in found] == [["1"], ["2"], ["3"]] * 30


async def test_a_look_up_that_is_cancelled_leaves_no_answer_to_another(provider: Provider) -> None:
    for turns in range(40):
        gone = asyncio.ensure_future(provider.find(by_field("number", "345678")))
        other = asyncio.ensure_future(provider.find(by_field("number", "0042")))
        for _ in range(turns % 8):
            await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        assert ids(await other) == ["2"]
        assert ids(await provider.find(by_field("number", "123456"))) == ["1"]


async def test_a_frozen_asterisk_does_not_hold_the_look_ups_after_it_is_back() -> None:
    async with Asterisk() as mortal:
        await put(mortal, "vip", "7", "gold")
        text = yaml(mortal, "rig", PLAIN, "keys: {contact: {by_field: {id: 'vip/{value}'}}}\n")
        provider = opened(text, password=mortal.secret)
        await provider.find(by_field("id", "7"))
        os.kill(mortal.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, mortal.pid, os.WSTOPPED | os.WNOWAIT)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(provider.find(by_field("id", "8")), 0.6)
        os.kill(mortal.pid, signal.SIGCONT)
        assert [one.fields["value"] for one in await provider.find(by_field("id", "7"))] == ["gold"]
        await provider.close()


async def test_a_restart_breaks_one_look_up_at_most() -> None:
    async with Asterisk() as mortal:
        await put(mortal, "vip", "7", "gold")
        text = yaml(mortal, "rig", PLAIN, "keys: {contact: {by_field: {id: 'vip/{value}'}}}\n")
        provider = opened(text, password=mortal.secret)
        await provider.find(by_field("id", "7"))
        await mortal.stop()
        with pytest.raises(ProviderUnreachable):
            await provider.find(by_field("id", "7"))
        again = subprocess.Popen([find_asterisk().executable, "-f", "-C", mortal.directory / "etc" / "asterisk.conf"])
        try:
            assert [one.fields["value"] for one in await until_answered(provider, by_field("id", "7"))] == ["gold"]
        finally:
            again.kill()
            again.wait()
        await provider.close()


async def until_answered(provider: Provider, query: Query) -> Sequence[Record]:
    """What a provider finds once its server is up again; nothing but trying tells when."""
    async with asyncio.timeout(FOREVER_S):
        while True:
            try:
                return await provider.find(query)
            except ProviderUnreachable:
                await asyncio.sleep(0.02)
