"""The description `odoo_rpc` (JSON-RPC, as older ones speak it) on a real Odoo 19, which still has it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rig.odoo import Odoo
from routing_engine.errors import ProviderRefused
from tests.acceptance.stage import House
from tests.crm.contract import ANNA, RealContract, by_field_of
from tests.crm.scene import Asked, Scene, asking, called, ids, landed, sound

from .integrations import json_rpc

pytestmark = [pytest.mark.servers, pytest.mark.odoo, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def scene(system: Odoo, people: dict[str, str]) -> Scene:
    return Scene(json_rpc(system), system.password, people)


@pytest.mark.asterisk
async def test_a_caller_gets_to_the_queue_of_the_rule_over_json_rpc(house: House, scene: Scene, system: Odoo) -> None:
    rules = "{when: {reference: '123456'}, to: {queue: vip}}"
    landing = await landed(house, scene, "contact", rules, caller="+436641234567")
    assert (landing.exten, landing.variables["ROUTE_REASON"]) == ("vip", "matched")
    page = f"{system.address}/mail/view?model=res.partner&res_id={scene.ids['Anna']}"
    assert landing.variables["ROUTE_RECORD_URL"] == page


class TestJsonRpc(RealContract):
    """The contract."""

    model, key = "contact", "reference"

    @pytest.mark.parametrize("value", ["x", "9" * 20, "1.5"])
    async def test_what_cannot_be_an_id_is_nobodys(self, crm: Asked, value: str) -> None:
        assert ids(await crm.field("id", value, "contact")) == []

    async def test_a_session_that_was_ended_is_begun_anew(self, scene: Scene, system: Odoo) -> None:
        user = system.add("res.users", name="Engine", login="engine", password="first-one")
        async with asking(Scene(json_rpc(system, "engine"), "first-one", scene.ids)) as crm:
            assert ids(await crm.caller(ANNA, "contact")) == scene.named("Anna")
            system.ask("res.users", "write", ids=[user], vals={"password": "another-one"})
            assert "refused the log-in" in str(await crm.caller(ANNA, "contact"))
            system.ask("res.users", "write", ids=[user], vals={"password": "first-one"})
            assert "refused the log-in" in str(await crm.caller(ANNA, "contact"))  # nobody tries again for a minute
            crm.later_s = 61
            assert ids(await crm.caller(ANNA, "contact")) == scene.named("Anna")

    async def test_who_may_not_read_leads_is_told_to_an_administrator(self, scene: Scene, system: Odoo) -> None:
        system.add("res.users", name="Little", login="little", password="little-one")
        async with asking(Scene(json_rpc(system, "little"), "little-one", scene.ids)) as crm:
            assert ids(await crm.caller(ANNA, "contact")) == scene.named("Anna")
            assert "(odoo.exceptions.AccessError)" in str(await crm.caller(ANNA, "lead"))

    async def test_an_error_within_status_200_is_told_by_its_name(self, crm: Asked) -> None:
        with pytest.raises(ProviderRefused, match=r"status 200 \(builtins.ValueError\)"):
            await crm.provider.find(by_field_of("contact", "no_such_field", "123456"))

    async def test_leads_are_found(self, crm: Asked, leads: dict[str, str]) -> None:
        assert ids(await crm.caller(ANNA, "lead")) == [leads["Anna"]]

    async def test_who_is_archived_is_gone(self, crm: Asked, system: Odoo) -> None:
        number = system.add_partner("Gerd Fort")
        system.ask("res.partner", "write", ids=[number], vals={"active": False})
        assert str(number) in await crm.gone("contact")

    async def test_a_call_is_noted_once_changed_and_has_its_recording(
        self, crm: Asked, scene: Scene, system: Odoo
    ) -> None:
        paul = called("contact", scene.ids["Paul"], "By the older way")
        made = await crm.log.log(paul)
        assert await crm.log.log(paul, again=True) == made
        assert "By the older way<br>" in str(system.record("mail.message", int(made.id), "body")["body"])
        await crm.log.update(replace(paul, body="Spoke thrice"), made.id)
        await crm.log.attach(paul, made.id, sound(b"RIFF", "rpc.wav"))
        found = system.record("mail.message", int(made.id), "body", "attachment_ids")
        assert "Spoke thrice" in str(found["body"])
        assert len(found["attachment_ids"]) == 1  # type: ignore[arg-type]
