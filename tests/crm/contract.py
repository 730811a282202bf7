"""What every integration with a real CRM must do. A subclass gives the fixture `scene`, and names its model.

The people of the scene: Anna (`+43 664 1234567`), Paul (`0664/7654321`), Ada (`+1 (212) 555-0147`), Ina and Udo with
one line in two spellings, Zita with Anna's national number in another country, and Bobby whose key is full of signs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing_engine.core.asks import Found, SourceDown
from routing_engine.core.ports import NAME_WORDS, Query
from routing_engine.errors import ProviderRefused
from tests.examples import examples
from tests.providers.contract import HOSTILE, by_field

from .scene import Asked, Scene, asking, ids

#: Beside those of the provider contract: what query languages of CRMs might take for something else.
SIGNS = ("' OR 1=1", "}}{{", ")(uid=*", "\x00", "%", "_", "12345%", "1*", '"], ["id", ">", "0', "{{value}}", "[[1,2]]")
ANNA = "+43 664 1234567"


class RealContract:
    """`model` is searched; `key` is its field with the people's keys (`ids` of the scene tells who is who)."""

    model: str
    key: str

    @pytest_asyncio.fixture(loop_scope="session")
    async def crm(self, scene: Scene) -> AsyncIterator[Asked]:
        async with asking(scene) as asked:
            yield asked

    @pytest.mark.parametrize("spelling", [ANNA, "0664 123 45 67", "0043664/1234567", "+43 (0)664 1234567"])
    async def test_a_caller_is_found_however_the_number_arrives(self, crm: Asked, scene: Scene, spelling: str) -> None:
        assert ids(await crm.caller(spelling, self.model)) == scene.named("Anna")

    @pytest.mark.parametrize(
        ("number", "who"), [("+436647654321", "Paul"), ("+12125550147", "Ada"), ("+41664 1234567", "Zita")]
    )
    async def test_a_number_is_found_however_it_is_stored(
        self, crm: Asked, scene: Scene, number: str, who: str
    ) -> None:
        assert ids(await crm.caller(number, self.model)) == scene.named(who)

    async def test_nobody_is_no_record(self, crm: Asked) -> None:
        assert ids(await crm.caller("+43 1 5555555", self.model)) == []

    async def test_several_are_told(self, crm: Asked, scene: Scene) -> None:
        assert ids(await crm.caller("+43 1 5120001", self.model)) == scene.named("Ina", "Udo")

    async def test_a_field_is_searched_exactly(self, crm: Asked, scene: Scene) -> None:
        assert ids(await crm.field(self.key, "0042", self.model)) == scene.named("Paul")
        assert ids(await crm.field(self.key, "42", self.model)) == []

    async def test_a_part_of_a_name_is_enough_in_any_case(self, crm: Asked, scene: Scene) -> None:
        assert ids(await crm.field(NAME_WORDS, "RUBER ann", self.model)) == scene.named("Anna")
        assert ids(await crm.field(NAME_WORDS, "gruber nobody", self.model)) == []

    async def test_a_value_full_of_signs_is_found_as_it_is(self, crm: Asked, scene: Scene) -> None:
        assert ids(await crm.field(self.key, "1' OR '1'='1", self.model)) == scene.named("Bobby")

    @pytest.mark.parametrize("value", [*HOSTILE, *SIGNS])
    async def test_a_hostile_value_is_only_a_value(self, crm: Asked, scene: Scene, value: str) -> None:
        assert ids(await crm.field(self.key, value, self.model)) == []
        assert ids(await crm.field(self.key, "123456", self.model)) == scene.named("Anna")

    async def test_no_text_of_a_caller_changes_a_query(self, crm: Asked, scene: Scene) -> None:
        for value in _texts():
            found = ids(await crm.field(self.key, value, self.model))
            assert found == (scene.named("Bobby") if value == "1' OR '1'='1" else [])

    async def test_a_wrong_key_is_an_administrators_and_is_not_shown(self, scene: Scene) -> None:
        async with asking(scene, secret="wrong-secret-of-ours") as crm:
            with pytest.raises(ProviderRefused, match=r"refused (our credentials|the log-in)") as caught:
                await crm.provider.find(by_field_of(self.model, self.key, "123456"))
            assert "wrong-secret-of-ours" not in str(caught.value)
            assert isinstance(await crm.caller(ANNA, self.model), SourceDown)

    async def test_a_field_that_is_not_there_is_an_administrators(self, crm: Asked) -> None:
        with pytest.raises(Exception) as caught:
            await crm.provider.find(by_field_of(self.model, "no_such_field", "123456"))
        assert not getattr(caught.value, "again", False)
        assert "123456" not in str(caught.value)

    async def test_everybody_is_listed_page_by_page(self, crm: Asked, scene: Scene) -> None:
        listed = [record.id for record in await crm.listed(self.model)]
        assert len(listed) == len(set(listed))
        assert set(scene.ids.values()) <= set(listed)

    async def test_the_connection_can_be_checked(self, crm: Asked) -> None:
        assert "answers" in await crm.provider.check()

    async def test_a_model_tells_its_fields(self, crm: Asked) -> None:
        fields = {one.name: one for one in await crm.provider.fields_of(self.model)}
        assert fields["name"].type == "char"
        assert fields["name"].label

    async def test_a_record_has_its_name_and_its_page(self, crm: Asked, scene: Scene) -> None:
        found = await crm.caller(ANNA, self.model)
        assert isinstance(found, Found)
        (record,) = found.records
        assert (record.fields["name"], record.id) == ("Anna Gruber", scene.ids["Anna"])
        assert record.id in record.url


def by_field_of(model: str, field: str, value: str) -> Query:
    """A question by a field of a model."""
    return replace(by_field(field, value), model=model)


def _texts() -> list[str]:
    """A hundred texts of signs that query languages know, the same ones in every run."""
    found: list[str] = []

    @settings(examples(100, unchecked=HealthCheck), database=None, derandomize=True)
    @given(st.text(alphabet=st.sampled_from("'\"\\()*%_{}[]:;&|+-!,= \n1aORX"), min_size=1, max_size=12))
    def gather(value: str) -> None:
        found.append(value)

    gather()
    return found
