"""The provider of Redis against a real one."""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import cast

import pytest
import pytest_asyncio
import redis.asyncio
from hypothesis import example, given
from hypothesis import strategies as st

from rig import directories
from rig.directories import Directory
from routing_engine.core.model import Record
from routing_engine.core.phone import Number, read_line
from routing_engine.core.ports import Provider, Query
from routing_engine.errors import ProviderMisread, ProviderRefused, ProviderUnreachable
from tests.acceptance.stage import House
from tests.docs.pages import REFERENCE
from tests.examples import examples
from tests.providers.contract import CUSTOMERS, REGION, ProviderContract, by_caller, by_field, ids

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
KEYS = "keys: {contact: {by_caller: 'phone:{number}', by_field: {number: 'customer:{value}'}}}\n"
#: What the page of the reference gives the engine's user.
RIGHTS = re.search(r"^ACL SETUSER engine (.+)$", (REFERENCE / "redis.md").read_text(), re.M)


def yaml(server: Directory, further: str = "password: '${PASSWORD}'\n", keys: str = KEYS) -> str:
    return f"provider: redis\naddress: redis://127.0.0.1:{server.port}\n{further}{keys}{MODELS}"


def own(server: Directory, database: int = 0) -> redis.asyncio.Redis:
    """A client of the tests' own, that may do everything."""
    return redis.asyncio.Redis(host="127.0.0.1", port=server.port, password=PASSWORD, db=database, protocol=2)


async def fill(server: Directory, database: int = 0) -> None:
    async with own(server, database) as client:
        for row in CUSTOMERS:
            values = {name: str(value) for name, value in row.items()}
            await cast("Awaitable[int]", client.hset(f"customer:{row['customer_number']}", mapping=values))
            if row["phone"]:
                line = read_line(str(row["phone"]), REGION)
                await cast("Awaitable[int]", client.hset(f"phone:{line}", mapping=values))
                await client.set(f"json:{line}", json.dumps(row))


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def customers(store: Directory) -> None:
    await fill(store)
    await fill(store, database=3)
    assert RIGHTS
    async with own(store) as client:
        await client.execute_command("ACL", "SETUSER", "engine", *RIGHTS[1].replace("PASSWORD", PASSWORD).split())


@pytest_asyncio.fixture(loop_scope="session")
async def provider(store: Directory) -> AsyncIterator[Provider]:
    provider = opened(yaml(store))
    yield provider
    await provider.close()


async def find(text: str, query: Query, folder: Path = Path(), password: str = PASSWORD) -> Sequence[Record]:
    """What a provider of its own finds."""
    provider = opened(text, folder, password)
    try:
        return await provider.find(query)
    finally:
        await provider.close()


async def test_a_caller_in_the_store_gets_to_the_queue_of_the_rule(house: House, store: Directory) -> None:
    rule = "when: {city: Linz}, to: {queue: vip}"
    landing = await landed(house, yaml(store, "user: engine\npassword: '${PASSWORD}'\n"), rule, caller="+436641234567")
    assert (landing.exten, landing.variables["ROUTE_REASON"]) == ("vip", "matched")
    assert landing.variables["ROUTE_RECORD_URL"] == "https://crm.example.com/contacts/1"


class TestRedis(ProviderContract):
    """The contract, but for what no key-value store can do: it has no search, only keys.

    A value leads to one record, so there is no "several records"; and a field can be searched only where `keys` has a
    key for it, so the city is not.
    """

    async def test_several_records_keep_their_order(self, provider: Provider) -> None:
        with pytest.raises(ProviderRefused, match=r"has no by_field: \{city: \.\.\.\}"):
            await provider.find(by_field("city", "Linz"))

    async def test_a_value_full_of_signs_is_found_literally(self, provider: Provider) -> None:
        assert ids(await provider.find(by_field("number", "1' OR '1'='1"))) == ["4"]


async def test_json_under_a_key_is_a_record_and_a_list_of_it_several(store: Directory) -> None:
    text = yaml(store, "password: '${PASSWORD}'\nvalue: json\n").replace("phone:{number}", "json:{number}")
    (record,) = await find(text, by_caller("+43 664 1234567"))
    assert (record.id, record.fields["name"]) == ("1", "Anna Gruber")
    async with own(store) as client:
        await client.set("json:+436641111111", json.dumps([{"id": 7}, {"id": 8}]))
        await client.set("json:+436642222222", "no JSON")
    assert ids(await find(text, by_caller("+43 664 1111111"))) == ["7", "8"]
    with pytest.raises(ProviderMisread, match="the answer is not JSON"):
        await find(text, by_caller("+43 664 2222222"))


async def test_the_user_of_the_reference_may_read_and_nothing_else(store: Directory) -> None:
    text = yaml(store, "user: engine\npassword: '${PASSWORD}'\n")
    assert ids(await find(text, by_caller("+43 664 1234567"))) == ["1"]
    other = text.replace("customer:{value}", "secret:{value}")
    with pytest.raises(ProviderRefused, match="may not read this key"):
        await find(other, by_field("number", "1"))
    async with redis.asyncio.Redis(port=store.port, username="engine", password=PASSWORD, protocol=2) as client:
        with pytest.raises(redis.exceptions.NoPermissionError):
            await client.set("phone:x", "y")


async def test_a_check_reads_a_key_of_each_kind(store: Directory) -> None:
    text = yaml(store, "user: engine\npassword: '${PASSWORD}'\n")
    for keys, refused in ((KEYS, False), (KEYS.replace("customer:", "secret:"), True)):
        provider = opened(text.replace(KEYS, keys))
        with pytest.raises(ProviderRefused, match="may not read") if refused else nullcontext():
            assert "each of the 2 kinds" in await provider.check()  # type: ignore[attr-defined]
        await provider.close()


async def test_a_database_of_its_own_number_is_read(store: Directory) -> None:
    text = yaml(store, "password: '${PASSWORD}'\ndatabase: 3\n")
    assert ids(await find(text, by_field("number", "0042"))) == ["2"]
    assert ids(await find(text.replace("database: 3", "database: 4"), by_field("number", "0042"))) == []


async def test_tls_is_spoken_with_a_server_of_our_authority(store: Directory, certificate: tuple[Path, Path]) -> None:
    text = yaml(store).replace(f"redis://127.0.0.1:{store.port}", f"rediss://127.0.0.1:{store.tls_port}")
    folder = certificate[0].parent
    assert ids(await find(f"{text}tls: {{ca: ca.pem}}\n", by_field("number", "0042"), folder)) == ["2"]
    with pytest.raises(ProviderRefused, match="certificate is not trusted"):
        await find(text, by_field("number", "0042"))


async def test_an_administrator_reads_what_is_wrong(store: Directory) -> None:
    with pytest.raises(ProviderRefused, match="refused the user or the password") as caught:
        await find(yaml(store), by_field("number", "4711"), password="wr0ng")
    assert not {"wr0ng", "4711"} & set(str(caught.value).split())
    with pytest.raises(ProviderRefused, match="refused the user or the password"):
        await find(yaml(store, ""), by_field("number", "0042"))
    with pytest.raises(ProviderMisread, match="of another kind than 'value' says"):
        await find(yaml(store, "password: '${PASSWORD}'\nvalue: json\n"), by_field("number", "0042"))
    with pytest.raises(ProviderUnreachable, match="the connection cannot be made"):
        await find(yaml(store).replace(f":{store.port}", ":1"), by_field("number", "0042"))


TEXT = st.text(max_size=30) | st.text("*?[]:{}\r\n$\0 '\"+0", max_size=12)


@examples(300)
@given(TEXT)
@example("*")
@example("0042\r\nFLUSHALL\r\n")
@example("0042:orders")
@example("' OR 1=1")
@example("}}{{")
@example("\0")
@example("*)(uid=*")
@example("\ud800")
async def test_no_text_changes_what_is_asked(store: Directory, text: str) -> None:
    provider = opened(yaml(store))
    known = {str(row["customer_number"]) for row in CUSTOMERS}
    by_number = Query("contact", "", text, True, Number(text, text, text, text))
    for query in (by_field("number", text), by_number):
        if text:
            assert bool(await provider.find(query)) == (not query.by_caller and text.strip() in known)
        else:
            with pytest.raises(ProviderRefused, match="nothing to search by"):
                await provider.find(query)
    assert ids(await provider.find(by_field("number", "123456"))) == ["1"]
    await provider.close()


async def test_a_value_cannot_reach_a_key_of_another_kind(store: Directory, provider: Provider) -> None:
    async with own(store) as client:
        await cast("Awaitable[int]", client.hset("customer:0042:orders", mapping={"id": "secret"}))
    assert ids(await provider.find(by_field("number", "0042:orders"))) == []


async def test_a_look_up_that_is_cancelled_leaves_no_answer_to_another(provider: Provider) -> None:
    chance = random.Random(7)
    for _ in range(150):
        gone = asyncio.ensure_future(provider.find(by_field("number", "345678")))
        for _ in range(chance.randrange(12)):
            await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        assert ids(await provider.find(by_field("number", "123456"))) == ["1"]


@pytest.fixture
def mortal() -> Iterator[Directory]:
    """A Redis that a test may stop."""
    with directories.redis("--requirepass", PASSWORD) as running:
        yield running


async def test_a_restart_is_passed_over_though_many_connections_were_open(mortal: Directory) -> None:
    await fill(mortal)
    provider = opened(yaml(mortal))
    await asyncio.gather(*(provider.find(by_field("number", "0042")) for _ in range(20)))
    await asyncio.to_thread(mortal.stop)
    with pytest.raises(ProviderUnreachable) as caught:
        await provider.find(by_field("number", "0042"))
    assert caught.value.again
    await asyncio.to_thread(mortal.start)
    await fill(mortal)
    found = await asyncio.gather(*(provider.find(by_field("number", "0042")) for _ in range(20)))
    assert [ids(one) for one in found] == [["2"]] * 20
    await provider.close()


async def test_a_frozen_server_does_not_hold_the_look_ups_after_it_is_back(mortal: Directory) -> None:
    await fill(mortal)
    provider = opened(yaml(mortal))
    await provider.find(by_field("number", "0042"))
    mortal.signal(signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(provider.find(by_field("number", "345678")), 0.3)
    mortal.signal(signal.SIGCONT)
    assert ids(await provider.find(by_field("number", "0042"))) == ["2"]
    await provider.close()
