"""Whatever happens to a system and its mirror: after a pull that succeeds the mirror has what the system has."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing_engine.core.model import Value
from routing_engine.core.phone import lines_in
from routing_engine.errors import ProviderMisread
from routing_engine.settings.mirror import MirrorSettings
from tests.examples import examples

from .crm import REGION, Clock, Crm, a_mirror, by_caller, by_field

pytestmark = pytest.mark.io

IDS = tuple("abcdefgh")
NUMBERS = tuple(f"+43 1 555{n:04}" for n in range(6))
PHONES = st.one_of(st.sampled_from(NUMBERS), st.just(""), st.none(), st.lists(st.sampled_from(NUMBERS)).map(tuple))
SAVE = st.tuples(st.just("save"), st.sampled_from(IDS), PHONES)
DELETE = st.tuples(st.just("delete"), st.sampled_from(IDS), st.none())
PULL = st.tuples(st.sampled_from(("full", "changes", "failing", "restart")), st.just(""), st.none())
COURSE = st.lists(st.one_of(SAVE, DELETE, PULL), max_size=25)


async def play(folder: Path, course: list[tuple[str, str, Value]]) -> None:
    clock, plan = Clock(), MirrorSettings(most_lost_percent=100)
    crm = Crm(clock, ())
    mirror = a_mirror(folder, crm, clock, plan)
    for step, id_, phone in course:
        clock.now += 7
        if step == "save":
            crm.save({"id": id_, "phone": phone, "name": f"{clock.now}"})
        elif step == "delete":
            crm.delete(id_)
        elif step == "restart":
            await mirror.close()
            mirror = a_mirror(folder, crm, clock, plan)
        elif step == "failing":
            crm.faults = [None, ProviderMisread("crm: broken")]
            await mirror.pull_due()
            crm.faults = []
        else:
            await mirror.pull("contact", step)  # type: ignore[arg-type]
            await agree(mirror, crm)
    clock.now += 100_000
    await mirror.pull_due()
    await agree(mirror, crm)
    await mirror.close()


async def agree(mirror, crm: Crm) -> None:  # type: ignore[no-untyped-def]
    for id_ in IDS:
        records = await mirror.find(by_field("id", id_))
        there = [dict(crm.rows[id_][1])] if id_ in crm.rows else []
        assert [dict(record.fields) for record in records] == there
    for number in NUMBERS:
        (line,) = lines_in(number, REGION)
        having = {id_ for id_, (_, row) in crm.rows.items() if line in lines_of(row.get("phone"))}
        assert {record.id for record in await mirror.find(by_caller(number))} == having


def lines_of(phone: Value) -> set[str]:
    texts = phone if isinstance(phone, tuple) else (phone or "",)
    return {line for text in texts for line in lines_in(str(text), REGION)}


@examples(60)
@given(COURSE)
def test_a_mirror_has_what_the_system_has_after_any_course_of_events(course: list[tuple[str, str, Value]]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), course))


@examples(40)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_a_value_and_nothing_else(value: str, other: str) -> None:
    async def find() -> None:
        clock = Clock()
        crm = Crm(clock, [{"id": "1", "name": value, "phone": value}, {"id": "2", "name": other, "phone": ""}])
        mirror = a_mirror(Path(folder), crm, clock)
        await mirror.pull_due()
        found = {record.id for record in await mirror.find(by_field("name", value))}
        same = {id_ for id_, text in (("1", value), ("2", other)) if text.strip() == value.strip() != ""}
        assert found == same
        await mirror.close()

    with TemporaryDirectory() as folder:
        asyncio.run(find())
