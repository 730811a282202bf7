"""What every described system must do, asked of its stand-in through the whole look-up path.

A subclass names its stand-in and the YAML of an integration (`ADDRESS` becomes the stand-in's). The model `contact` has
a field `customer_number` of the operator's own, beside the description's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from routing_engine.core.asks import Find, Found, SourceDown
from routing_engine.core.model import Operand, Source, Template
from routing_engine.core.phone import read_number
from routing_engine.core.ports import Provider
from routing_engine.errors import ProviderRefused, ProviderThrottled, ProviderUnreachable
from routing_engine.lookup.search import Search
from routing_engine.providers.crm.provider import CrmProvider, open_crm
from routing_engine.providers.crm.settings import reader_of_own, reader_of_shipped
from routing_engine.settings.integration import ProviderSetup
from routing_engine.settings.yaml_reader import Problems, Section, read_yaml
from tests.examples import examples
from tests.providers.contract import HOSTILE, by_caller, by_field

from .standin import StandIn

REGION = "AT"
KEY = "A" * 43 + "="  # of this test alone
SECRETS = {"TOKEN": "key", "SECRET": "shh", "REFRESH": "refresh-0", "PASSWORD": "pass", "ROUTING_ENGINE_KEY": KEY}
#: Each system runs the same property with another stand-in; each run opens its own.
UNUSED_CHECKS = (HealthCheck.function_scoped_fixture, HealthCheck.differing_executors)
HIDDEN = ("shh", "refresh-0", "access-1")


def reader(provider: str, folder: Path) -> Callable[[Section, str], ProviderSetup]:
    """What reads an integration: of an own description in the folder, or of one that ships."""
    own = folder / "providers" / f"{provider}.yaml"
    if not own.exists():
        return reader_of_shipped(provider, folder)
    notes = Problems(own.name)
    found = reader_of_own(folder, frozenset(), own.read_text(), notes, provider)
    assert found is not None, notes.problems
    return found


def connection(provider: str, text: str, folder: Path) -> ProviderSetup:
    """Read an integration's YAML, which must have no fault."""
    notes = Problems("integrations/crm.yaml", lambda name: SECRETS.get(name) or None)
    section = read_yaml(text, notes)
    assert section is not None
    section.value("provider")
    found = reader(provider, folder)(section, "crm")
    assert notes.problems == []
    return found


class Open:
    """An integration with its stand-in: asked as calls ask."""

    def __init__(self, standin: StandIn, provider: str, text: str, folder: Path) -> None:
        self.standin = standin
        self.connection = connection(provider, text.replace("ADDRESS", standin.address), folder)
        self.provider: Provider = open_crm(
            "crm", self.connection.settings, self.connection.models, REGION, time.monotonic
        )
        self.search = Search({"crm": self.provider}, {"crm": self.connection.models}, REGION, 5, time.monotonic)

    async def caller(self, number: str, model: str = "contact") -> Found | SourceDown:
        caller = read_number(number, REGION)
        assert caller is not None
        source = Source("s", "crm", model, Template((Operand("call", "caller"),)))
        return await self.search.find(Find(source, caller.e164, caller), 5)

    async def field(self, name: str, value: str, model: str = "contact") -> Found | SourceDown:
        source = Source("s", "crm", model, Template(()), field=name)
        return await self.search.find(Find(source, value, None), 5)


def ids(found: Found | SourceDown) -> list[str]:
    """The ids of what was found; `down` when the source is. Vtiger has a module's number before each: `12x101`."""
    return ["down"] if isinstance(found, SourceDown) else [record.id.rpartition("x")[2] for record in found.records]


class OpensCrm:
    """An integration with its stand-in, for each test anew."""

    provider: str
    standin: type[StandIn]
    integration: str
    #: Whether what proves who we are can run out, and be fetched anew. A key that is refused is an administrator's.
    refreshes = True

    @pytest.fixture
    async def crm(self, tmp_path: Path) -> AsyncIterator[Open]:
        found = self.standin()
        runner = web.ServerRunner(web.Server(found.handle), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        opened = Open(found, self.provider, self.integration, tmp_path)
        yield opened
        await opened.provider.close()
        await runner.cleanup()


class DescribedContract(OpensCrm):
    """Run by each system's own test class."""

    #: The address of record 101's page, ADDRESS being the stand-in's; "" where the vendor has none.
    page: str

    # ------------------------------------------------------------------------------------ who calls

    @pytest.mark.parametrize("spelling", ["+43 664 1234567", "0664 123 45 67", "0043664/1234567", "+43 (0)664 1234567"])
    async def test_a_caller_is_found_however_the_number_is_spelled(self, crm: Open, spelling: str) -> None:
        assert ids(await crm.caller(spelling)) == ["101"]

    @pytest.mark.parametrize(
        ("number", "who"),
        [("+436647654321", "102"), ("+4930123456", "103"), ("+491717654321", "103"), ("+12125550147", "105")],
        ids=["national", "landline", "mobile", "formatted"],
    )
    async def test_a_number_is_found_however_the_system_stores_it(self, crm: Open, number: str, who: str) -> None:
        assert ids(await crm.caller(number)) == [who]

    async def test_nobody_is_no_record(self, crm: Open) -> None:
        assert ids(await crm.caller("+43 1 5555555")) == []

    async def test_the_same_number_of_another_country_is_a_stranger(self, crm: Open) -> None:
        assert ids(await crm.caller("+41 664 1234567")) == ["108"]

    async def test_several_records_are_told(self, crm: Open) -> None:
        assert sorted(ids(await crm.caller("+43 1 5120001"))) == ["106", "107"]

    async def test_a_record_has_its_name_and_its_page(self, crm: Open) -> None:
        found = await crm.caller("+43 664 1234567")
        assert isinstance(found, Found)
        (record,) = found.records
        assert record.fields["name"] == "Anna Gruber"
        assert record.fields["customer_number"] == "123456"
        assert record.url == self.page.replace("ADDRESS", crm.standin.address)

    # ------------------------------------------------------------------------------------- a field

    async def test_a_field_is_searched(self, crm: Open) -> None:
        assert ids(await crm.field("customer_number", "0042")) == ["102"]

    async def test_a_record_is_found_by_its_id(self, crm: Open) -> None:
        """Whoever links a call to a record names it so."""
        found = await crm.caller("+43 664 1234567")
        (record,) = found.records  # type: ignore[union-attr]
        assert ids(await crm.field("id", record.id)) == ids(found)

    async def test_leading_zeros_matter(self, crm: Open) -> None:
        assert ids(await crm.field("customer_number", "42")) == []

    @pytest.mark.parametrize("value", [*HOSTILE, "' OR 1=1", "}}{{", ")(uid=*", "\x00", "%", "_", "12345%", "1*"])
    async def test_a_hostile_value_is_only_a_value(self, crm: Open, value: str) -> None:
        assert ids(await crm.field("customer_number", value)) == []
        assert ids(await crm.field("customer_number", "123456")) == ["101"]

    @examples(40, unchecked=UNUSED_CHECKS)
    @given(value=st.text(alphabet=st.sampled_from("'\"\\()*%_{}[]:;&|+-! \u0000\n1aORX"), min_size=1, max_size=12))
    def test_no_text_of_a_caller_changes_a_query(self, value: str, tmp_path_factory: pytest.TempPathFactory) -> None:
        folder = tmp_path_factory.getbasetemp()
        assert asyncio.run(self.ask_once(value, folder)) in ([], ["104"] if value == "1' OR '1'='1" else [])

    async def ask_once(self, value: str, folder: Path) -> list[str]:
        found = self.standin()
        runner = web.ServerRunner(web.Server(found.handle), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        opened = Open(found, self.provider, self.integration, folder / "none")
        try:
            return ids(await opened.field("customer_number", value))
        finally:
            await opened.provider.close()
            await runner.cleanup()

    # ------------------------------------------------------------------------------------ trouble

    async def test_a_token_that_ran_out_is_fetched_anew(self, crm: Open) -> None:
        assert ids(await crm.caller("+43 664 1234567")) == ["101"]
        crm.standin.expire()
        assert ids(await crm.caller("+43 664 1234567")) == (["101"] if self.refreshes else ["down"])

    async def test_eight_look_ups_fetch_one_token(self, crm: Open) -> None:
        await crm.caller("+43 664 1234567")
        before = len(crm.standin.logins)
        crm.standin.expire()
        found = await asyncio.gather(*(crm.caller("+43 664 1234567") for _ in range(8)))
        assert [ids(one) for one in found] == [["101"] if self.refreshes else ["down"]] * 8
        assert len(crm.standin.logins) - before == (1 if self.refreshes else 0)

    async def test_credentials_that_are_refused_are_an_administrators(self, crm: Open) -> None:
        crm.standin.authorized = lambda asked: False  # type: ignore[method-assign]
        with pytest.raises(ProviderRefused) as caught:
            await crm.provider.find(by_caller("+43 664 1234567"))
        assert not any(secret in str(caught.value) for secret in HIDDEN)

    async def test_a_system_that_is_asked_too_much_is_left_alone(self, crm: Open) -> None:
        crm.standin.nexts.append(crm.standin.throttled)
        with pytest.raises(ProviderThrottled) as caught:
            await crm.provider.find(by_caller("+43 664 1234567"))
        assert caught.value.retry_after_s >= 1

    async def test_an_error_that_stays_is_not_asked_again(self, crm: Open) -> None:
        crm.standin.nexts.append(crm.standin.broken)
        with pytest.raises((ProviderUnreachable, ProviderRefused)) as caught:
            await crm.provider.find(by_caller("+43 664 1234567"))
        assert not getattr(caught.value, "again", False)
        assert "1234567" not in str(caught.value)

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[1, 2]", b'"text"', b"null", b"{}", b'{"a": {'])
    async def test_an_answer_of_another_shape_is_no_record_of_anybody(self, crm: Open, body: bytes) -> None:
        crm.standin.nexts += [lambda: web.Response(body=body, content_type="application/json")] * 4
        found = await crm.caller("+43 664 1234567")
        assert isinstance(found, SourceDown) or found.records == ()

    # ------------------------------------------------------------------------------------- lists

    async def test_every_page_is_listed(self, crm: Open) -> None:
        crm.standin.page_size = 3
        assert sorted(await listed(crm)) == sorted(person.id for person in crm.standin.people)

    async def test_the_connection_can_be_checked(self, crm: Open) -> None:
        provider = crm.provider
        assert isinstance(provider, CrmProvider)
        assert "answers" in await provider.check()

    async def test_an_empty_value_asks_nobody(self, crm: Open) -> None:
        await crm.provider.find(by_field("customer_number", " "))
        assert crm.standin.asked == []


async def listed(crm: Open, model: str = "contact") -> list[str]:
    """The ids of all records of all pages."""
    provider, cursor = crm.provider, ""
    assert isinstance(provider, CrmProvider)
    found: list[str] = []
    for _ in range(50):
        batch = await provider.page(model, None, cursor)
        found += [record.id.rpartition("x")[2] for record in batch.records]
        cursor = batch.cursor
        if not cursor:
            return found
    raise AssertionError("the pages do not end")
