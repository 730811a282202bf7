"""The description `odoo` on the leads of a real Odoo 19."""

from __future__ import annotations

import pytest

from rig.odoo import Odoo
from routing_engine.core.asks import Found
from tests.crm.contract import ANNA, RealContract
from tests.crm.scene import Asked, Scene

from .browser import led_to
from .integrations import json_2

pytestmark = [pytest.mark.servers, pytest.mark.odoo, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def scene(system: Odoo, leads: dict[str, str]) -> Scene:
    own = "models: {lead: {fields: {referred: referred}}}\n"
    return Scene(json_2(system) + own, system.key, leads)


class TestLeads(RealContract):
    """The contract."""

    model, key = "lead", "referred"

    async def test_a_lead_has_its_stage_and_its_page(self, crm: Asked, scene: Scene, system: Odoo) -> None:
        found = await crm.caller(ANNA, "lead")
        assert isinstance(found, Found)
        (record,) = found.records
        assert record.fields["stage"] == "New"
        assert led_to(system, record.url) == f"303 /odoo/crm.lead/{scene.ids['Anna']}"
