"""The description `tryton` on a real Tryton."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from rig.tryton import Tryton
from routing_engine.core.asks import Found
from routing_engine.errors import ProviderRefused
from tests.acceptance.stage import House

from .contract import ANNA, RealContract, by_field_of
from .scene import Asked, Scene, asking, called, ids, landed, sound

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.asterisk
async def test_a_caller_in_tryton_gets_to_the_queue_of_the_rule(house: House, scene: Scene, system: Tryton) -> None:
    rules = "{when: {code: '123456'}, to: {queue: vip}, set: {caller_name: '{name}'}}"
    landing = await landed(house, scene, "party", rules, caller="+436641234567")
    assert (landing.exten, landing.variables["ROUTE_REASON"]) == ("vip", "matched")
    page = f"{system.address}/#tryton/model/party.party/{scene.ids['Anna']}"
    assert landing.variables["ROUTE_RECORD_URL"] == page


@pytest.mark.asterisk
async def test_a_mirror_of_tryton_answers_while_it_is_down(house: House, scene: Scene, system: Tryton) -> None:
    mirrored = replace(scene, integration=scene.integration + "mirror: {}\n")
    rules = "{when: {code: '0042', data.origin: snapshot}, to: {queue: vip}}"
    try:
        landing = await landed(house, mirrored, "party", rules, "+436647654321", mirrored=system.stop)
    finally:
        system.start()
    assert (landing.exten, landing.variables["ROUTE_REASON"]) == ("vip", "matched")


class TestTryton(RealContract):
    """The contract."""

    model, key = "party", "code"

    @pytest.mark.parametrize("value", ["x", "9" * 25])
    async def test_what_cannot_be_an_id_is_refused_and_no_outage(self, crm: Asked, value: str) -> None:
        with pytest.raises(ProviderRefused, match="status 500"):
            await crm.provider.find(by_field_of("party", "id", value))

    async def test_a_field_of_the_operators_own_is_read_and_searched(
        self, crm: Asked, scene: Scene, system: Tryton
    ) -> None:
        vat = [["create", [{"type": "eu_vat", "code": "ATU12345675"}]]]
        number = system.add_party("Vera Zahl", identifiers=vat)
        found = await crm.field("vat", "ATU12345675", "party")
        assert ids(found) == [str(number)]
        assert isinstance(found, Found)
        assert found.records[0].fields["vat"] == "ATU12345675"

    async def test_kinds_of_numbers_are_told_apart(self, crm: Asked, system: Tryton) -> None:
        system.add_party("Otto Viel", "+43 1 5129999", email="otto@example.com")
        found = await crm.caller("+43 1 5129999", "party")
        assert isinstance(found, Found)
        fields = found.records[0].fields
        assert (fields["phone"], fields["mobile"], fields["email"]) == ("+4315129999", None, "otto@example.com")

    async def test_a_key_that_was_taken_back_finds_nobody(self, scene: Scene, system: Tryton) -> None:
        key = system.make_key()
        async with asking(scene, secret=key) as crm:
            assert ids(await crm.caller(ANNA, "party")) == scene.named("Anna")
            system.revoke(key)
            assert "refused our credentials" in str(await crm.caller(ANNA, "party"))

    async def test_a_hundred_and_more_are_listed_in_pages(self, crm: Asked, system: Tryton) -> None:
        made = {str(system.add_party(f"Nummer {number}")) for number in range(105)}
        listed = [record.id for record in await crm.listed("party")]
        assert made <= set(listed)
        assert len(listed) == len(set(listed))

    async def test_changes_are_listed_also_those_of_a_number_alone(self, crm: Asked, system: Tryton) -> None:
        number, now = system.add_party("Nora Neu"), datetime.now(UTC)
        assert str(number) in [record.id for record in await crm.listed("party", now)]
        age(system, number)
        assert str(number) not in [record.id for record in await crm.listed("party", now)]
        system.ask("POST", "party.contact_mechanism", {"party": number, "type": "phone", "value": "+43 1 5127777"})
        assert str(number) in [record.id for record in await crm.listed("party", now)]

    async def test_who_is_deactivated_is_gone(self, crm: Asked, system: Tryton) -> None:
        number = system.add_party("Gerd Weg", "+43 1 5128888")
        system.ask("PUT", f"party.party/{number}", {"active": False})
        assert ids(await crm.caller("+43 1 5128888", "party")) == []
        assert str(number) in await crm.gone("party")

    async def test_a_call_is_noted_noted_again_and_has_its_recording(
        self, crm: Asked, scene: Scene, system: Tryton
    ) -> None:
        anna = called("party", scene.ids["Anna"])
        made = await crm.log.log(anna)
        assert await crm.log.log(anna, again=True) == made
        await crm.log.attach(anna, made.id, sound(b"RIFF"))
        assert of_all(system, "ir.attachment", "name") == ["call.wav"]
        notes = of_all(system, "ir.note", "message")
        assert len(notes) == 2  # the second try found the first one, and said what it knows
        assert all("Call from Anna Spoke, 'twice' <b>" in str(one) for one in notes)

    async def test_a_call_of_nobody_has_no_place(self, crm: Asked, scene: Scene) -> None:
        with pytest.raises(ProviderRefused, match="no place for a call with somebody unknown"):
            await crm.log.log(replace(called("party", scene.ids["Anna"]), contact=None))

    async def test_a_new_party_is_found_by_its_number(self, crm: Asked) -> None:
        made = await crm.desk.create("party", {"name": "Nora Neu", "phone": "+43 1 5559988"})
        assert ids(await crm.caller("+43 1 5559988", "party")) == [made.id]


def age(system: Tryton, number: int) -> None:
    """Make a party one of last year's."""
    with closing(sqlite3.connect(system.folder / "tryton.sqlite", timeout=10)) as data:
        then = "2025-01-01 00:00:00"
        data.execute("UPDATE party_party SET create_date = ?, write_date = ? WHERE id = ?", (then, then, number))
        data.commit()


def of_all(system: Tryton, model: str, field: str) -> list[object]:
    """A field of every record of a model."""
    found = system.ask("GET", f"{model}?f={field}")
    assert isinstance(found, list)
    return sorted(one[field] for one in found)
