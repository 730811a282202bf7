"""The calls before of who calls, as cards show them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from routing_engine.calls.call import Call, CallContact
from routing_engine.calls.requests import CallQuery
from routing_engine.desk.known import CallsBefore

CALL = Call("c9", "main", "9.9", "inbound", 100.0, from_="+436641234567", to="201")
OLD = Call("c1", "main", "1.1", "inbound", 1.0, from_="+436641234567", to="201")


class Kept:
    """A book of calls that notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[CallQuery] = []

    async def find(self, wanted: CallQuery) -> tuple[Sequence[Call], str | None]:
        self.asked.append(wanted)
        await asyncio.sleep(0)
        return [CALL, OLD], None


async def test_forty_pages_that_ask_at_once_read_the_calls_before_once() -> None:
    kept = Kept()
    before = CallsBefore(kept)
    found = await asyncio.gather(*(before.of(CALL, "AT") for _ in range(40)))
    assert found == [[OLD]] * 40
    assert [one.number for one in kept.asked] == ["+436641234567"]


async def test_who_asks_later_or_of_another_contact_reads_anew() -> None:
    kept = Kept()
    before = CallsBefore(kept)
    linked = Call("c9", "main", "9.9", "inbound", 100.0, contact=CallContact("linked", "crm", "contact", "7"))
    await asyncio.gather(before.of(CALL, "AT"), before.of(linked, "AT"))
    await before.of(CALL, "AT")
    assert [one.contact is None for one in kept.asked] == [True, False, True]
