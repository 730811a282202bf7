"""The description `odoo` (JSON-2) on a real Odoo 19."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rig.odoo import Odoo
from routing_engine.core.asks import Found
from routing_engine.core.model import Record
from tests.acceptance.stage import House
from tests.crm.contract import ANNA, RealContract
from tests.crm.scene import Asked, Scene, asking, called, ids, landed, sound

from .browser import led_to
from .integrations import json_2

pytestmark = [pytest.mark.servers, pytest.mark.odoo, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def scene(system: Odoo, people: dict[str, str]) -> Scene:
    return Scene(json_2(system), system.key, people)


@pytest.mark.asterisk
async def test_a_caller_in_odoo_gets_to_the_queue_of_the_rule(house: House, scene: Scene, system: Odoo) -> None:
    rules = "{when: {reference: '123456'}, to: {queue: vip}, set: {caller_name: '{name}'}}"
    landing = await landed(house, scene, "contact", rules, caller="+436641234567")
    assert (landing.exten, landing.variables["ROUTE_REASON"]) == ("vip", "matched")
    page = f"{system.address}/mail/view?model=res.partner&res_id={scene.ids['Anna']}"
    assert landing.variables["ROUTE_RECORD_URL"] == page


@pytest.mark.asterisk
async def test_a_mirror_of_odoo_answers_while_it_is_down(house: House, scene: Scene, system: Odoo) -> None:
    mirrored = replace(scene, integration=scene.integration + "mirror: {}\n")
    rules = "{when: {reference: '0042', data.origin: snapshot}, to: {queue: vip}}"
    try:
        landing = await landed(house, mirrored, "contact", rules, "+436647654321", mirrored=system.stop)
    finally:
        system.start()
    assert (landing.exten, landing.variables["ROUTE_REASON"]) == ("vip", "matched")


class TestContacts(RealContract):
    """The contract for contacts."""

    model, key = "contact", "reference"

    @pytest.mark.parametrize("value", ["x", "9" * 20, "1.5"])
    async def test_what_cannot_be_an_id_is_nobodys(self, crm: Asked, value: str) -> None:
        assert ids(await crm.field("id", value, "contact")) == []


async def found_one(crm: Asked, number: str, model: str = "contact") -> Record:
    found = await crm.caller(number, model)
    assert isinstance(found, Found)
    (record,) = found.records
    return record


def found_of(system: Odoo, model: str, condition: list[str]) -> list[int]:
    """The ids of the records of a model."""
    found = system.ask(model, "search", domain=[condition])
    assert isinstance(found, list)
    return found


async def test_a_record_tells_company_and_owner_and_no_false(scene: Scene, system: Odoo) -> None:
    parent = system.add_partner("Acme Inc", is_company=True)
    system.add_partner("Elsa Dort", "+43 1 5126001", parent_id=parent, user_id=2)
    async with asking(scene) as crm:
        fields = (await found_one(crm, "+43 1 5126001")).fields
    assert (fields["company"], fields["owner_id"], fields["email"]) == ("Acme Inc", 2, None)
    assert isinstance(fields["owner"], str)


async def test_a_number_that_odoo_could_not_read_is_found_by_its_digits(scene: Scene, system: Odoo) -> None:
    number = system.add_partner("Till Tipp", "+43 1 5126002; +43 664 5126002")
    assert system.record("res.partner", number, "phone_sanitized")["phone_sanitized"] is False
    async with asking(scene) as crm:
        assert (await found_one(crm, "+43 1 5126002")).id == str(number)
        assert (await found_one(crm, "+43 664 5126002")).id == str(number)


async def test_a_number_is_read_by_the_contacts_own_country(scene: Scene, system: Odoo) -> None:
    (country,) = found_of(system, "res.country", ["code", "=", "US"])
    number = system.add_partner("Amy Far", "(212) 555-0199", country_id=country)
    async with asking(scene) as crm:
        assert (await found_one(crm, "+1 212 555 0199")).id == str(number)


async def test_a_custom_field_is_read_and_searched(scene: Scene, system: Odoo) -> None:
    (model,) = found_of(system, "ir.model", ["model", "=", "res.partner"])
    system.add("ir.model.fields", name="x_tier", model_id=model, field_description="Tier", ttype="char", state="manual")
    number = system.add_partner("Gerda Gold", "+43 1 5126003", x_tier="gold")
    async with asking(scene, scene.integration + "models: {contact: {fields: {tier: x_tier}}}\n") as crm:
        assert (await found_one(crm, "+43 1 5126003")).fields["tier"] == "gold"
        assert ids(await crm.field("tier", "gold", "contact")) == [str(number)]
        assert "Tier" in [one.label for one in await crm.provider.fields_of("contact")]


async def test_the_extension_of_the_owner_comes_by_a_related_field(scene: Scene, system: Odoo) -> None:
    (model,) = found_of(system, "ir.model", ["model", "=", "res.partner"])
    related = {"name": "x_owner_extension", "related": "user_id.phone", "ttype": "char", "state": "manual"}
    system.add("ir.model.fields", model_id=model, field_description="Owner's extension", **related)
    owner = system.add("res.users", name="Olga Owner", login="olga", phone="217")
    system.add_partner("Kurt Kunde", "+43 1 5126005", user_id=owner)
    own = "models: {contact: {fields: {owner_extension: x_owner_extension}}}\n"
    async with asking(scene, scene.integration + own) as crm:
        assert (await found_one(crm, "+43 1 5126005")).fields["owner_extension"] == "217"


async def test_another_model_of_odoo_needs_no_description(scene: Scene, system: Odoo) -> None:
    fields = "{id: id, name: name, login: login, phone: phone}"
    users = f"models: {{user: {{object: res.users, fields: {fields}, numbers: [phone]}}}}\n"
    async with asking(scene, scene.integration + users) as crm:
        assert ids(await crm.field("login", "admin", "user")) == ["2"]


async def test_a_database_that_is_not_there_is_an_administrators(scene: Scene) -> None:
    async with asking(scene, scene.integration.replace("database: odoo", "database: nowhere")) as crm:
        answer = str(await crm.caller(ANNA, "contact"))
        assert "status 40" in answer
        assert "refused" in answer


async def test_the_page_of_a_record_leads_to_it(scene: Scene, system: Odoo) -> None:
    async with asking(scene) as crm:
        page = (await found_one(crm, ANNA)).url
    assert led_to(system, page) == f"303 /odoo/res.partner/{scene.ids['Anna']}"


async def test_who_is_archived_is_not_found_and_gone(scene: Scene, system: Odoo) -> None:
    number = system.add_partner("Gerd Weg", "+43 1 5126004")
    system.ask("res.partner", "write", ids=[number], vals={"active": False})
    async with asking(scene) as crm:
        assert ids(await crm.caller("+43 1 5126004", "contact")) == []
        assert str(number) in await crm.gone("contact")


async def test_changes_and_more_than_a_page_are_listed(scene: Scene, system: Odoo) -> None:
    made = system.ask("res.partner", "create", vals_list=[{"name": f"Nummer {number}"} for number in range(105)])
    assert isinstance(made, list)
    async with asking(scene) as crm:
        now = datetime.now(UTC)
        assert {*map(str, made)} <= {record.id for record in await crm.listed("contact", now - timedelta(minutes=1))}
        assert await crm.listed("contact", now + timedelta(hours=1)) == []


async def test_a_call_is_noted_once_changed_and_has_its_recording(scene: Scene, system: Odoo) -> None:
    number = int(scene.ids["Anna"])
    async with asking(scene) as crm:
        user = await crm.log.find_user("admin@example.com", "") or await crm.log.find_user("admin", "")
        anna = called("contact", scene.ids["Anna"], user=user or "")
        made = await crm.log.log(anna)
        assert await crm.log.log(anna, again=True) == made
        await crm.log.update(replace(anna, body=f"Spoke <thrice>\n{anna.body}"), made.id)
        await crm.log.attach(anna, made.id, sound(b"RIFF"))
    found = system.record("mail.message", int(made.id), "body", "subject", "author_id", "attachment_ids", "res_id")
    assert "Spoke &lt;thrice&gt;<br>" in str(found["body"])
    assert (found["subject"], found["res_id"]) == ("Call from Anna", number)
    files = system.ask("ir.attachment", "search_read", domain=[["res_id", "=", number], ["name", "=", "call.wav"]])
    assert isinstance(files, list)
    assert [(one["res_model"], one["file_size"]) for one in files] == [("res.partner", 4)]
    assert found["attachment_ids"] == [files[0]["id"]]


async def test_the_author_of_the_note_is_who_took_the_call(scene: Scene, system: Odoo) -> None:
    users = system.ask("res.users", "search_read", domain=[["share", "=", False]], fields=["login", "partner_id"])
    assert isinstance(users, list)
    async with asking(scene) as crm:
        user = await crm.log.find_user(users[0]["login"], "")
        assert user == str(users[0]["id"])
        made = await crm.log.log(called("contact", scene.ids["Paul"], "Another", user))
    author = system.record("mail.message", int(made.id), "author_id")["author_id"]
    assert isinstance(author, list)
    assert author[0] == users[0]["partner_id"][0]


async def test_a_new_contact_is_found_by_its_number(scene: Scene) -> None:
    async with asking(scene) as crm:
        made = await crm.desk.create("contact", {"name": "Nora Neu", "phone": "+43 1 5559977", "city": "Graz"})
        assert ids(await crm.caller("+43 1 5559977", "contact")) == [made.id]


async def test_odoo_says_nothing_of_an_entry_that_somebody_deleted(scene: Scene, system: Odoo) -> None:
    async with asking(scene) as crm:
        await crm.log.update(called("contact", scene.ids["Anna"]), "99999999")
    assert system.ask("mail.message", "search_count", domain=[["id", "=", 99999999]]) == 0
