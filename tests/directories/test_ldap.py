"""The provider of LDAP directories against a real OpenLDAP."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import example, given
from hypothesis import strategies as st

from rig.directories import Directory, slapd
from routing_engine.core.model import Record
from routing_engine.core.phone import Number
from routing_engine.core.ports import Provider, Query
from routing_engine.errors import ProviderError, ProviderMisread, ProviderRefused, ProviderUnreachable
from tests.acceptance.stage import House
from tests.examples import examples
from tests.fakes import FOREVER_S
from tests.providers.contract import ProviderContract, by_caller, by_field, ids

from .entries import BASE, LDIF, SIGNS, USER, entry
from .opened import opened
from .whole_call import landed

pytestmark = [pytest.mark.servers, pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

FIELDS = "{id: uid, number: employeeNumber, name: cn, city: l, phone: telephoneNumber}"
MODELS = f"""
models:
  contact:
    fields: {FIELDS}
    numbers: [phone]
    record_url: 'https://crm.example.com/contacts/{{id}}'
"""
MOBILES = "\nmodels: {contact: {fields: {id: uid, name: cn, mobile: mobile}, numbers: [mobile]}}\n"
BIND = f"bind: {{user: '{USER}', password: '${{PASSWORD}}'}}\n"


def yaml(address: str, further: str = "", models: str = MODELS, base: str = BASE) -> str:
    return f"provider: ldap\naddress: {address}\nbase: '{base}'\n{further}{models}"


@pytest_asyncio.fixture(loop_scope="session")
async def provider(directory: Directory) -> AsyncIterator[Provider]:
    provider = opened(yaml(directory.address, "filter: (objectClass=person)\n"))
    yield provider
    await provider.close()


async def find(text: str, query: Query, folder: Path = Path()) -> Sequence[Record]:
    """What a provider of its own finds."""
    provider = opened(text, folder)
    try:
        return await provider.find(query)
    finally:
        await provider.close()


async def test_a_caller_in_the_directory_gets_to_the_queue_of_the_rule(house: House, directory: Directory) -> None:
    text = yaml(directory.address, "number_form: [e164, national]\n")
    rule = "when: {city: Linz}, to: {queue: vip}, set: {caller_name: '{name}'}"
    landing = await landed(house, text, rule, caller="+436641234567")
    assert (landing.exten, landing.variables["ROUTE_REASON"]) == ("vip", "matched")
    assert landing.variables["ROUTE_RECORD_URL"] == "https://crm.example.com/contacts/1"


class TestLdap(ProviderContract):
    """The whole contract."""


async def test_values_of_several_are_a_tuple_and_pictures_are_left_out(directory: Directory) -> None:
    models = "models: {contact: {fields: {name: cn, mails: MAIL, photo: jpegPhoto, city: l}}}"
    (record,) = await find(yaml(directory.address, models=models), by_field("uid", "many"))
    mails = ("a@example.com", "b@example.com")
    assert record.fields == {"name": ("Eva", "Eva Huber"), "mails": mails, "photo": None, "city": None}
    assert record.id == f"uid=many,{BASE}"


async def test_without_a_field_map_attributes_come_as_they_are(directory: Directory) -> None:
    (record,) = await find(yaml(directory.address, models="models: {contact: {}}"), by_field("uid", "1"))
    assert (record.fields["cn"], record.fields["telephonenumber"]) == ("Anna Gruber", "+43 664 1234567")


@pytest.mark.parametrize(("form", "expected"), [("e164", ["p0"]), ("national", ["p1", "p2", "p3", "p4"])])
async def test_a_number_is_found_with_anything_between_its_digits(
    directory: Directory, form: str, expected: list[str]
) -> None:
    caller = by_caller("+43 676 5556677").caller
    found = await find(
        yaml(directory.address, models=MOBILES), Query("contact", "", "+436765556677", True, caller, form)
    )
    assert [one for one in ids(found) if one in expected] == expected


async def test_an_exact_search_leaves_the_comparing_to_the_directory(directory: Directory) -> None:
    text = yaml(directory.address, "number_match: exact\n", MOBILES)
    caller = by_caller("+43 676 5556677").caller
    found = await find(text, Query("contact", "", "+436765556677", True, caller, "national"))
    assert ids(found) == ["p1", "p4"]  # it passes over spaces and hyphens, and nothing else


async def test_a_number_is_looked_for_in_every_field_of_numbers(directory: Directory) -> None:
    models = "models: {contact: {fields: {id: uid, phone: telephoneNumber, mobile: mobile}, numbers: [phone, mobile]}}"
    provider = opened(yaml(directory.address, models=models))
    assert ids(await provider.find(by_caller("+43 676 5556677"))) == ["p0"]
    assert ids(await provider.find(by_caller("+43 664 1234567"))) == ["1"]
    assert ids(await provider.find(by_caller("+43 664 1234567", field="mobile"))) == []
    await provider.close()


@pytest.mark.parametrize("value", SIGNS)
async def test_signs_of_a_filter_are_found_as_signs(directory: Directory, value: str) -> None:
    assert ids(await find(yaml(directory.address), by_field("name", value))) == [f"star{SIGNS.index(value)}"]


TEXT = st.text(max_size=30) | st.text("*()\\&|!=<>~:\0,+\"' 0", max_size=12)


@examples(300)
@given(TEXT)
@example("*)(uid=*")
@example("*))(|(uid=*")
@example("\0")
@example("*")
@example("\\2a")
@example("' OR 1=1")
@example("}}{{")
@example("x)(cn=*")
@example("\ud800")
async def test_no_text_changes_what_is_asked(directory: Directory, text: str) -> None:
    provider = opened(yaml(directory.address))
    by_number = Query("contact", "phone", text, True, Number(text, text, text, text))
    for query in (by_field("number", text), by_number):
        if text:
            assert all(_same(record, query) for record in await provider.find(query))
        else:
            with pytest.raises(ProviderRefused, match="nothing to search by"):
                await provider.find(query)
    assert ids(await provider.find(by_field("number", "123456"))) == ["1"]
    await provider.close()


def _same(record: Record, query: Query) -> bool:
    """Whether a record holds what was asked for: the value itself, or the digits of the number in their order."""
    if not query.by_caller:
        return str(record.fields["number"]).casefold() == " ".join(query.value.split()).casefold()
    digits = iter(str(record.fields["phone"]))
    return all(sign in digits for sign in query.value if sign.isascii() and sign.isdigit())


# ------------------------------------------------------------------------------------------------ log-in and TLS


async def test_a_user_sees_what_anonymous_does_not(directory: Directory) -> None:
    closed = yaml(directory.address, BIND, base="ou=closed,dc=example,dc=com")
    assert ids(await find(closed, by_field("id", "9"))) == ["9"]
    with pytest.raises(ProviderRefused, match="no entry at the base, or we may not see it"):
        await find(closed.replace(BIND, ""), by_field("id", "9"))


@pytest.mark.parametrize("further", ["start_tls: true\ntls: {ca: CA}\n", "tls: {ca: CA}\n"])
async def test_tls_is_spoken_with_a_server_of_our_authority(
    directory: Directory, certificate: tuple[Path, Path], further: str
) -> None:
    address = directory.address if "start_tls" in further else directory.tls_address
    ca = further.replace("CA", "ca.pem")
    assert ids(await find(yaml(address, BIND + ca), by_field("id", "1"), certificate[0].parent)) == ["1"]
    with pytest.raises(ProviderRefused, match="certificate is not trusted"):
        await find(yaml(address, BIND + further.replace("tls: {ca: CA}\n", "")), by_field("id", "1"))


@pytest.mark.parametrize(
    ("change", "kind", "sentence"),
    [
        (("ou=people", "ou=nowhere"), ProviderRefused, "there is no entry at the base"),
        (("dc=com'\n", "dc=org'\n"), ProviderRefused, "no entry at the base|another server"),
        (("cn=engine,dc", "engine,dc"), ProviderRefused, "is not a DN|refused the user"),
        (("127.0.0.1:", "127.0.0.1:1\n#"), ProviderUnreachable, "nobody accepts connections"),
        (("127.0.0.1:", "nobody.invalid:"), ProviderUnreachable, "host name of the address is not known"),
    ],
)
async def test_an_administrator_reads_what_is_wrong(
    directory: Directory, change: tuple[str, str], kind: type[ProviderError], sentence: str
) -> None:
    provider = opened(yaml(directory.address, f"start_tls: false\n{BIND}").replace(*change, 1))
    with pytest.raises(kind, match=sentence) as caught:
        await provider.find(by_field("number", "4711 0815"))
    await provider.close()
    assert not {"s3cret", "4711", "0815"} & set(str(caught.value).split())


async def test_a_wrong_password_is_told(directory: Directory) -> None:
    provider = opened(yaml(directory.address, BIND), password="wr0ng")
    with pytest.raises(ProviderRefused, match="it refused the user or the password") as caught:
        await provider.find(by_field("id", "1"))
    assert "wr0ng" not in f"{caught.value} {caught.value!r}"


async def test_a_check_looks_at_the_base_and_tells_what_is_wrong_with_it(directory: Directory) -> None:
    provider = opened(yaml(directory.address, BIND))
    assert await provider.check() == "the log-in works, and 1 of 1 bases can be seen"  # type: ignore[attr-defined]
    await provider.close()
    provider = opened(yaml(directory.address, base="ou=closed,dc=example,dc=com"))
    with pytest.raises(ProviderRefused, match="no entry at the base"):
        await provider.check()  # type: ignore[attr-defined]
    await provider.close()


async def test_a_server_that_speaks_something_else_is_told(store: Directory) -> None:
    with pytest.raises((ProviderMisread, ProviderUnreachable)):
        await asyncio.wait_for(find(yaml(f"ldap://127.0.0.1:{store.port}", BIND), by_field("id", "1")), FOREVER_S)


# ---------------------------------------------------------------------------------------------- limits and faults


async def test_too_many_for_a_caller_is_an_error_and_for_a_value_the_first_ones() -> None:
    crowd = "".join(
        entry(uid=number, cn="Max", l="Wels", telephoneNumber=f"+43 1 234567{number}") + "\n" for number in range(9)
    )
    with slapd(LDIF.split("\n\n")[0] + "\n\n" + crowd) as running:
        provider = opened(yaml(running.address, "at_most: 5\n"))
        assert ids(await provider.find(by_field("city", "Wels"))) == ["0", "1", "2", "3", "4"]
        with pytest.raises(ProviderMisread, match="more entries fit"):
            await provider.find(by_caller("+43 1 234567"))
        await provider.close()


async def test_a_referral_is_not_followed() -> None:
    elsewhere = f"dn: ou=else,{BASE}\nobjectClass: referral\nobjectClass: extensibleObject\nou: else\nref: ldap://127.0.0.1:1/\n"
    with slapd(f"{LDIF}\n{elsewhere}") as running:
        assert ids(await find(yaml(running.address), by_field("id", "1"))) == ["1"]
        with pytest.raises(ProviderRefused, match="referrals are not followed"):
            await find(yaml(running.address, base=f"ou=else,{BASE}"), by_field("id", "1"))


async def test_searches_run_side_by_side_on_one_connection(provider: Provider, directory: Directory) -> None:
    wanted = ["123456", "0042", "345678"] * 30
    found = await asyncio.gather(*(provider.find(by_field("number", one)) for one in wanted))
    assert [ids(one) for one in found] == [["1"], ["2"], ["3"]] * 30


async def test_a_look_up_that_is_cancelled_leaves_the_connection_to_the_others(provider: Provider) -> None:
    await provider.find(by_field("number", "0042"))
    for turns in range(40):
        gone = asyncio.ensure_future(provider.find(by_field("number", "345678")))
        other = asyncio.ensure_future(provider.find(by_field("number", "0042")))
        for _ in range(turns % 8):
            await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        assert ids(await other) == ["2"]
        assert ids(await provider.find(by_field("number", "123456"))) == ["1"]


async def test_who_hangs_up_while_it_connects_leaves_the_connection_to_the_next(directory: Directory) -> None:
    provider = opened(yaml(directory.address, BIND))
    first = asyncio.ensure_future(provider.find(by_field("id", "1")))
    second = asyncio.ensure_future(provider.find(by_field("id", "2")))
    await asyncio.sleep(0)
    first.cancel()
    assert ids(await second) == ["2"]
    await provider.close()


async def test_a_restart_of_the_server_breaks_one_look_up_at_most() -> None:
    with slapd(LDIF) as running:
        provider = opened(yaml(running.address))
        assert ids(await provider.find(by_field("id", "1"))) == ["1"]
        await asyncio.to_thread(running.stop)
        with pytest.raises(ProviderUnreachable):
            await provider.find(by_field("id", "1"))
        await asyncio.to_thread(running.start)
        assert ids(await provider.find(by_field("id", "1"))) == ["1"]
        await provider.close()


async def test_a_frozen_server_does_not_hold_the_look_ups_after_it_is_back() -> None:
    with slapd(LDIF) as running:
        provider = opened(yaml(running.address))
        await provider.find(by_field("id", "1"))
        running.signal(signal.SIGSTOP)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(provider.find(by_field("id", "2")), 0.6)
        with pytest.raises(ProviderUnreachable, match="no connection in time"):
            await _bound(running).find(by_field("id", "1"))
        running.signal(signal.SIGCONT)
        assert ids(await provider.find(by_field("id", "1"))) == ["1"]
        await provider.close()


def _bound(running: Directory) -> Provider:
    """A provider that must log in first, and has little time for it."""
    return opened(yaml(running.address, f"{BIND}connect_timeout_s: 0.3\n"))
