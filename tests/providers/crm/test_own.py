"""The CRM of the how-to, described in config/providers: the page's own files, loaded whole, against its API."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web

from routing_engine.core.model import Record
from routing_engine.dry_run import DryCall, dry_run
from routing_engine.engine import open_provider, open_store
from routing_engine.providers.crm.provider import CrmProvider
from tests.docs.pages import DOCS, files

from .calls import CallContract
from .standin import COLLEAGUES, Asked, Person, StandIn, Written, digits

pytestmark = pytest.mark.io

PAGE = DOCS / "how-to" / "describe-a-crm.md"
TOKEN = re.compile(r"""\s*([A-Za-z_][\w.]*|=|"(?:\\.|[^"\\])*")""")


class Kontor(StandIn):
    token_path = ""

    def authorized(self, asked: Asked) -> bool:
        return asked.headers.get("X-Kontor-Key") == self.access_token

    def throttled(self) -> web.Response:
        return web.json_response({"error": {"code": "RATE"}}, status=400)

    def answer(self, asked: Asked) -> web.Response:
        if asked.path != "/api/people" or asked.method == "POST":
            return self.keep(asked)
        found = [one for one in self.people if self.fits(one, asked.query.get("filter", ""))]
        size, page = min(int(asked.query["per_page"]), self.page_size), int(asked.query.get("page", 1))
        rows = found[(page - 1) * size : page * size]
        return web.json_response({"people": [*map(self.shape, rows)], "more": page * size < len(found)})

    def keep(self, asked: Asked) -> web.Response:
        """Calls, their files, the staff, and new people."""
        if asked.path == "/api/staff":
            return web.json_response({"staff": [{"id": int(one.id), "email": one.email} for one in COLLEAGUES]})
        if asked.path == "/api/people":
            given = asked.json
            self.people.append(
                Person("801", "", str(given["given_name"]), str(given["family_name"]), "", str(given["phone"]))
            )
            return web.json_response({"person": {"uid": 801}})
        if asked.path.endswith("/files"):
            self.written[asked.path.split("/")[3]].sounds.append(asked.parts["file"][1])
            return web.Response(status=204)
        if asked.method == "GET":
            found = [one for one in self.written.values() if one.key == asked.query["reference"]]
            return web.json_response({"calls": [{"id": one.id} for one in found]})
        return self.call(asked.path.removeprefix("/api/calls").strip("/"), asked.json)

    def call(self, number: str, given: dict[str, object]) -> web.Response:
        if number and number not in self.written:
            return web.Response(status=404)
        entry = self.written.setdefault(number or self.new_id(), Written(number or self.new_id(), "", ""))
        entry.subject, entry.body = str(given["title"]), str(given["text"])
        if not number:
            entry.kind, entry.key = f"{given['way']} {given['result']}", str(given["reference"])
            entry.contact, entry.user = str(given["person"]), str(given["owner"])
        return web.json_response({"call": {"id": entry.id}})

    def shape(self, person: Person) -> dict[str, object]:
        extra = {"customer_number": person.number}
        manager = {"name": "Olga Owner", "extension": "217"}
        names = {"given_name": person.first, "family_name": person.last}
        numbers = {"phone": person.phone or None, "mobile": person.mobile or None}
        return {"uid": int(person.id), **names, **numbers, "manager": manager, "extra": extra}

    def fits(self, person: Person, text: str) -> bool:
        """NAME = "text" and NAME ENDS "text", with AND and OR in their order."""
        words = TOKEN.findall(text)
        assert not TOKEN.sub("", text).strip()
        found = not words
        for start in range(0, len(words), 4):
            name, sign, literal = words[start : start + 3]
            wanted = re.sub(r"\\(.)", r"\1", literal[1:-1])
            one = any(self.compares(sign, held, wanted) for held in self.held(person, name))
            found = one if start == 0 else (found or one if words[start - 1] == "OR" else found and one)
        return found

    def held(self, person: Person, name: str) -> list[str]:
        if name == "phone_digits":
            return [*map(digits, person.phones)]
        return {"extra.customer_number": [person.number]}[name]

    def compares(self, sign: str, held: str, wanted: str) -> bool:
        return held == wanted if sign == "=" else held.endswith(wanted)


class TestCalls(CallContract):
    """What the page adds for calls keeps the contract of the CRMs that ship."""

    provider = "kontor"
    standin = Kontor
    refreshes = False
    integration = """
server: ADDRESS
auth: {key: '${TOKEN}'}
"""
    kinds = ("in spoken", "in missed", "in missed", "out spoken", "out missed", "out missed", "in spoken")
    has_extension = False
    unmatched = False

    @pytest.fixture(autouse=True)
    def described(self, tmp_path: Path) -> None:
        (tmp_path / "providers").mkdir()
        added = next(part for part in PAGE.read_text().split("```") if "# add to config/providers" in part)
        text = files(PAGE)["providers/kontor.yaml"] + added.removeprefix("yaml\n")
        (tmp_path / "providers" / "kontor.yaml").write_text(text)


@pytest.fixture
async def kontor() -> AsyncIterator[Kontor]:
    found = Kontor()
    runner = web.ServerRunner(web.Server(found.handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


@pytest.fixture
def folder(tmp_path: Path, kontor: Kontor, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's configuration, with the stand-in as its server, and numbers of Austria."""
    monkeypatch.setenv("KONTOR_KEY", "key")
    texts = {**files(PAGE), "engine.yaml": "region: AT\n"}
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.replace("server: https://acme.kontor.example", f"server: {kontor.address}"))
    return tmp_path


async def call(folder: Path, caller: str, typed: str = "0000") -> tuple[str, str]:
    """Where a call goes, and the page of the record."""
    found = await dry_run(open_store(folder).load(), DryCall("support", caller, inputs=(typed,)))
    destination = found.decision.destination
    record = found.decision.record
    return f"{destination.kind} {destination.target}", record.url if record is not None else ""


@pytest.mark.parametrize(
    ("caller", "who"), [("+43 664 1234567", "101"), ("0664 7654321", "102"), ("+1 212 5550147", "105")]
)
async def test_a_caller_is_led_to_the_owner(folder: Path, kontor: Kontor, caller: str, who: str) -> None:
    assert await call(folder, caller) == ("extension 217", f"{kontor.address}/people/{who}")


async def test_a_record_of_an_example_has_the_page_of_one_that_is_found(folder: Path, kontor: Kontor) -> None:
    records = {"caller": (Record({"id": 101, "owner_extension": "217"}),)}
    wanted = DryCall("support", "+43 664 1234567", inputs=("0000",), records=records)
    found = await dry_run(open_store(folder).load(), wanted)
    assert found.decision.record is not None
    assert found.decision.record.url == f"{kontor.address}/people/101"


async def test_the_same_digits_of_another_country_are_a_stranger(folder: Path, kontor: Kontor) -> None:
    kontor.people = [one for one in kontor.people if one.id != "101"]
    assert await call(folder, "+43 664 1234567") == ("queue reception", "")
    assert "6641234567" in kontor.asked[0].query["filter"]


async def test_a_customer_number_is_searched(folder: Path, kontor: Kontor) -> None:
    assert await call(folder, "+43 1 9999999", "123456") == ("queue sales", f"{kontor.address}/people/101")


async def test_a_record_without_an_id_is_nobodys(folder: Path, kontor: Kontor) -> None:
    kontor.nexts.append(lambda: web.json_response({"people": [{"given_name": "Anna"}], "more": False}))
    found = await dry_run(open_store(folder).load(), DryCall("support", "+43 664 1234567", inputs=("0000",)))
    assert "a record has no id" in str(found.decision.trail)


async def test_a_wrong_key_is_told_and_the_call_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KONTOR_KEY", "wrong")
    found = await dry_run(open_store(folder).load(), DryCall("support", "+43 664 1234567", inputs=("0000",)))
    assert found.decision.destination.target == "reception"
    assert "refused our credentials" in str(found.decision.trail)


async def test_too_many_requests_leave_it_alone(folder: Path, kontor: Kontor) -> None:
    kontor.nexts.append(kontor.throttled)
    found = await dry_run(open_store(folder).load(), DryCall("support", "+43 664 1234567", inputs=("0000",)))
    assert "RATE" in str(found.decision.trail)


@pytest.mark.parametrize("ask", [CrmProvider.check, lambda provider: provider.page("contact", None, "")])
async def test_the_connection_is_checked_and_everybody_is_listed(folder: Path, ask: Callable[..., object]) -> None:
    configuration = open_store(folder).load()
    provider = open_provider(configuration.integrations["crm"], configuration.settings)
    found = await ask(provider)  # type: ignore[misc]
    assert "Kontor answers" in found if isinstance(found, str) else len(found.records) == 8
    await provider.close()


def test_a_fault_of_the_description_is_named_and_not_blamed_on_the_integration(folder: Path) -> None:
    path = folder / "providers" / "kontor.yaml"
    path.write_text(path.read_text().replace("| lucene}'", "}'"))
    with pytest.raises(Exception, match="stands raw in a text") as caught:
        open_store(folder).load()
    assert "integrations/crm.yaml" not in str(caught.value)


def test_a_changed_description_is_a_new_revision(folder: Path) -> None:
    before = open_store(folder).load()
    path = folder / "providers" / "kontor.yaml"
    path.write_text(path.read_text().replace("title: Kontor", "title: Kontor 2"))
    assert open_store(folder).load().revision != before.revision
