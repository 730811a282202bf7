"""An edge beside a real Asterisk and a hub elsewhere: two processes, the line cut in calls, either side killed."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from rig.conf import DIALLER, FOLLOWER, PATIENCE_S
from rig.stage import desk
from tests.wire import Wire

from .engine import Engine, write_configuration
from .outside import Outside, outside, write
from .stage import House, Stage
from .test_followed_calls import ROUTES

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

OFFICE, READER = "edge-of-the-office-0001", "reader-of-calls-00001"
HUB = """region: AT
listeners: {http: 127.0.0.1:0}
match_order: [kontor]
api_keys:
  office: {key: '${OFFICE}', may: [edge]}
  reader: {key: '${READER}', may: [calls.read, dial]}
"""


@dataclass
class Sites:
    """Both processes, and the wire between them. What is begun anew keeps its folder."""

    house: House
    folder: Path
    wire: Wire
    stack: AsyncExitStack
    engines: dict[str, Engine] = field(default_factory=dict)

    async def begin(self, which: str) -> Engine:
        engine = self.engines[which] = await self.stack.enter_async_context(Engine.serving(self.folder / which))
        return engine

    async def kill(self, which: str) -> None:
        self.engines[which].kill()
        await self.engines[which].ended()

    @property
    def stage(self) -> Stage:
        return Stage(self.house, self.engines["edge"])

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        """What the hub answers a program."""
        who = {"Authorization": f"Bearer {READER}"}
        address = f"http://{self.engines['hub'].http}{path}"
        async with aiohttp.ClientSession(headers=who) as session, session.request(method, address, **more) as answer:
            return answer.status, await answer.json()

    async def calls(self, number: str) -> list[Mapping[str, Any]]:
        """What the hub has of a number."""
        _, found = await self.ask("GET", "/v1/calls", params={"number": number})
        return found["calls"]  # type: ignore[no-any-return]


def write_both(folder: Path, house: House, crm: Outside, port: int) -> None:
    """The hub has people, CRM and webhooks; the edge has the PBX, and the integration that its routes ask."""
    hub, edge = folder / "hub", folder / "edge"
    for one in (hub, edge):
        one.mkdir()
        write(one, house.asterisk, crm)
    (hub / "engine.yaml").write_text(HUB)
    (hub / "pbxs/main.yaml").write_text(
        "edge: office\nrecordings: ari\ntrunks: [PJSIP/trunk*]\ndial: {context: office}\n"
    )
    with (hub / "environment").open("a") as file:
        file.write(f"OFFICE={OFFICE}\nREADER={READER}\n")
    pbx = edge / "pbxs/main.yaml"
    pbx.write_text(pbx.read_text().replace(FOLLOWER, DIALLER))
    for name in ("users.yaml", "webhooks/hook.yaml"):
        (edge / name).unlink()
    with (edge / "environment").open("a") as file:
        file.write(f"OFFICE={OFFICE}\n")
    line = f"hub: {{address: 'http://127.0.0.1:{port}', key: '${{OFFICE}}'}}\n"
    write_configuration(edge, ROUTES, house.middleware.address, line)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def crm() -> AsyncIterator[Outside]:
    async with outside() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sites(house: House, crm: Outside, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sites]:
    found: list[Sites] = []
    folder = tmp_path_factory.mktemp("edge-and-hub")
    async with AsyncExitStack() as stack:
        wire = Wire(lambda: int(found[0].engines["hub"].http.rpartition(":")[2]))
        await stack.enter_async_context(wire.open())
        write_both(folder, house, crm, wire.port)
        found.append(Sites(house, folder, wire, stack))
        await found[0].begin("hub")
        edge = await found[0].begin("edge")
        await edge.logged("pbx.up")
        await edge.logged("hub.up")
        yield found[0]
        assert [one.complaints for one in found[0].engines.values()] == [[], []]


def told(crm: Outside, number: str) -> list[str]:
    """What the receiver was told of a number's calls, in order; the same delivery again counts once, as it should."""
    events = {one["webhook_id"]: one["type"] for one in crm.events if one["data"]["from"] == number}
    return [kind for kind in events.values() if kind != "call.ringing"]


async def ended(crm: Outside, number: str) -> Mapping[str, Any]:
    event = await crm.events.first(lambda one: one["type"] == "call.ended" and one["data"]["from"] == number)
    return event["data"]  # type: ignore[no-any-return]


async def told_of(crm: Outside, kind: str, number: str) -> None:
    await crm.events.first(lambda one: one["type"] == kind and one["data"]["from"] == number)


async def written_once(sites: Sites, crm: Outside, number: str) -> Mapping[str, Any]:
    """A call that is over: told in order, in the hub once, in the CRM once."""
    call = await ended(crm, number)
    await crm.entries.first(lambda one: one.get("key") == call["id"])
    assert [one["id"] for one in await sites.calls(number)] == [call["id"]]
    assert len([one for one in crm.entries if one.get("key") == call["id"]]) == 1
    assert told(crm, number) == ["call.started", "call.answered", "call.ended"]
    return call


async def test_a_call_at_the_edge_is_told_and_written_by_the_hub(sites: Sites, crm: Outside) -> None:
    number = crm.knows("+436641113301", "Anna Gruber")
    async with desk(sites.house.asterisk, "1001") as phone:
        call = await sites.stage.call("by_record", caller=number)
        await (await phone.next_call()).answered()
        await call.hang_up()
    found = await written_once(sites, crm, number)
    assert (found["outcome"], found["user"], found["pbx"]) == ("answered", "anna", "main")
    assert (found["contact"]["matched"], found["contact"]["name"]) == ("routed", "Anna Gruber")
    assert (found["route"]["name"], found["route"]["reason"]) == ("by_record", "matched")


async def test_people_dial_at_the_hub_and_their_telephone_rings_at_the_edge(sites: Sites, crm: Outside) -> None:
    number = "+436641113308"
    await sites.engines["hub"].logged("edge.pbx_up")
    async with desk(sites.house.asterisk, "1001") as phone:
        status, call = await sites.ask("POST", "/v1/calls", json={"user": "anna", "to": number})
        assert status == 202, call
        assert (call["state"], call["direction"], call["to"]) == ("ringing", "outbound", number)
        await (await phone.next_call()).answered()
        assert (await sites.ask("POST", f"/v1/calls/{call['id']}/hangup"))[0] == 200
    over = await crm.events.first(lambda one: one["type"] == "call.ended" and one["data"]["to"] == number)
    assert (over["data"]["id"], over["data"]["user"], over["data"]["pbx"]) == (call["id"], "anna", "main")


async def test_a_recording_is_fetched_over_the_line_and_attached(sites: Sites, crm: Outside) -> None:
    number = crm.knows("+436641113302", "Clara Winter")
    async with desk(sites.house.asterisk, "1001") as phone:
        phone.answer_with(0.4, speaks_hz=440, hangs_up_after_s=1.2)
        await (await sites.stage.call("recorded", caller=number)).ended()
    ready = await crm.events.first(lambda one: one["type"] == "recording.ready" and one["data"]["from"] == number)
    _, sound = await crm.sounds.first(lambda one: True)
    with wave.open(BytesIO(sound)) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(ready["data"]["recording"]["seconds"], abs=0.01)


async def test_a_call_that_ends_while_the_line_is_down_is_told_when_it_is_back(sites: Sites, crm: Outside) -> None:
    number = crm.knows("+436641113303", "Bernd Maier")
    async with desk(sites.house.asterisk, "1001") as phone:
        call = await sites.stage.call("to_anna", caller=number)
        await told_of(crm, "call.started", number)
        sites.wire.down = True
        sites.wire.cut()
        await sites.engines["edge"].logged("hub.down")
        await (await phone.next_call()).answered()
        await call.hang_up()
        # While there is no line, the next call is routed as ever.
        other = await sites.stage.call("to_anna", caller=crm.knows("+436641113304", "Dora Stein"))
        await (await phone.next_call()).answered()
        await other.hang_up()
    sites.wire.down = False
    assert (await written_once(sites, crm, number))["outcome"] == "answered"
    assert (await written_once(sites, crm, "+436641113304"))["outcome"] == "answered"


async def test_a_call_during_which_the_hub_is_killed_is_told_once(sites: Sites, crm: Outside) -> None:
    number = crm.knows("+436641113305", "Emil Kurz")
    async with desk(sites.house.asterisk, "1001") as phone:
        call = await sites.stage.call("to_anna", caller=number)
        await (await phone.next_call()).answered()
        await told_of(crm, "call.answered", number)
        await sites.kill("hub")
        await call.hang_up()
        await sites.begin("hub")
    assert (await written_once(sites, crm, number))["outcome"] == "answered"


async def test_a_call_during_which_the_edge_is_killed_is_told_once(sites: Sites, crm: Outside) -> None:
    number = crm.knows("+436641113306", "Fritz Lang")
    async with desk(sites.house.asterisk, "1001") as phone:
        call = await sites.stage.call("to_anna", caller=number)
        await (await phone.next_call()).answered()
        await told_of(crm, "call.answered", number)
        await sites.kill("edge")
        edge = await sites.begin("edge")
        await edge.logged("pbx.up")
        await call.hang_up()
    assert (await written_once(sites, crm, number))["outcome"] == "answered"


async def test_the_hub_says_who_has_a_phone_and_its_reload_counts_at_the_edge(sites: Sites, crm: Outside) -> None:
    users = sites.folder / "hub" / "users.yaml"
    users.write_text("berta: {name: Berta Klein, phones: [main/1001]}\n")
    await sites.engines["hub"].logged("configuration.reloaded", PATIENCE_S)
    number = crm.knows("+436641113307", "Gerda Moos")
    async with desk(sites.house.asterisk, "1001") as phone:
        call = await sites.stage.call("to_anna", caller=number)
        await (await phone.next_call()).answered()
        await call.hang_up()
    assert (await written_once(sites, crm, number))["user"] == "berta"
