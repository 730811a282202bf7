"""Answers that are used again: for their time, through an outage, over a restart; and digits that are kept nowhere."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from rig.conf import PATIENCE_S
from rig.sip import sound

from .engine import Engine, write_configuration
from .faults import never_answers, status
from .faulty import Faulty, good
from .scenery import HZ
from .stage import House, Stage, callers
from .test_outages import Came, lands, write_integration

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="session")]

PIN = "4711082"
#: How old an answer is said to be: on a busy machine more than no second.
AGE = re.compile(r"\d+ s(?= old)")
SETTINGS = "logging: {level: debug}\ncache: {path: answers.db}\n"
RULES = (
    "rules: [{when: {data.origin: snapshot, data.age_s: {less_than: 3600}}, to: {dialplan: 'office,last,1'}},"
    " {when: {data.origin: cache}, to: {dialplan: 'office,kept,1'}}, {to: {dialplan: 'office,live,1'}}]"
)
NOWHERE = "default: {to: {dialplan: 'office,default,1'}}\n"


def route(keep: str, more: str = "", name: str = "customers", by: str = "caller") -> str:
    source = f"{{integration: {name}, search: {{field: phone, by: {by}}}, {keep}{RULES}}}"
    return f"deadline_s: 4\nfiller: none\n{more}sources: [{source}]\n{NOWHERE}"


ASKS_PIN = "input: {prompt: prompt, digits: {min: 7, max: 7}, sensitive: true, attempts: 1}\n"
ROUTES = {
    "kept": route("cache: {ttl_s: 60, negative_ttl_s: 60}, "),
    "kept_1_s": route("cache: {ttl_s: 0.6}, "),
    "renewed": route("cache: {ttl_s: 0.5, refresh_s: 60}, "),
    "stale": route("stale_for: 24h, ", name="stale"),
    "greeted": route("stale_for: 24h, ", "instruction: welcome\n", "greeted"),
    "pin": route("", ASKS_PIN, by="input"),
    "pin_caller": route("cache: {ttl_s: 60}, ", ASKS_PIN),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def crm() -> AsyncIterator[Faulty]:
    async with Faulty.serving() as found:
        yield found


def write(folder: Path, house: House, port: int) -> Path:
    write_configuration(folder, ROUTES, house.middleware.address, SETTINGS)
    for name in ("customers", "stale", "greeted"):
        write_integration(folder, name, f"http://127.0.0.1:{port}/{name}")
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(house: House, crm: Faulty, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with Engine.serving(write(tmp_path_factory.mktemp("kept"), house, crm.port)) as engine:
        yield engine
        assert engine.complaints == []


@pytest.fixture
def caller() -> str:
    """A number that calls more than once."""
    return f"+43664{next(callers)}"


async def comes(stage: Stage, name: str, caller: str, types: str = "") -> Came:
    call = await stage.dial(name, caller=caller)
    if types:
        await call.hears(sound(0.1, hz=HZ["prompt"]))
        await call.press(types, 60, 40)
    return await lands(stage.engine, stage, call)


async def test_the_second_call_asks_nobody(stage: Stage, crm: Faulty, caller: str) -> None:
    calls = [await comes(stage, "kept", caller) for _ in range(2)]
    assert [one.landing.exten for one in calls] == ["live", "kept"]
    assert [AGE.sub("0 s", one.source) for one in calls] == ["1 record", "1 record (from the cache, 0 s old)"]
    assert crm.paths(caller) == ["customers"]


async def test_that_there_is_no_record_is_kept_too(stage: Stage, crm: Faulty, caller: str) -> None:
    crm.behaviours["customers"] = status("404 Nobody")
    calls = [await comes(stage, "kept", caller) for _ in range(2)]
    crm.behaviours["customers"] = good
    assert [AGE.sub("0 s", one.source) for one in calls] == ["no record", "no record (from the cache, 0 s old)"]
    assert crm.paths(caller) == ["customers"]


async def test_callers_of_one_number_at_once_are_one_question(stage: Stage, crm: Faulty, caller: str) -> None:
    gate = asyncio.Event()

    async def answers(connection: object) -> None:
        await gate.wait()
        await good(connection)  # type: ignore[arg-type]

    crm.behaviours["customers"] = answers
    calls = [asyncio.create_task(comes(stage, "kept", caller)) for _ in range(10)]
    await crm.asked.first(lambda one: one.caller == caller)
    gate.set()
    came = [one.landing.exten for one in await asyncio.gather(*calls)]
    assert {"live"} <= set(came) <= {"live", "kept"}, "who came later than the answer finds it kept"
    assert crm.paths(caller) == ["customers"]


async def test_an_answer_that_is_too_old_is_asked_for_anew(stage: Stage, crm: Faulty, caller: str) -> None:
    assert (await comes(stage, "kept_1_s", caller)).landing.exten == "live"
    await asyncio.sleep(0.7)
    assert (await comes(stage, "kept_1_s", caller)).landing.exten == "live"
    assert crm.paths(caller) == ["customers"] * 2


async def test_an_old_answer_is_renewed_behind_the_call_that_gets_it(stage: Stage, crm: Faulty, caller: str) -> None:
    await comes(stage, "renewed", caller)
    await asyncio.sleep(0.6)
    crm.behaviours["customers"] = never_answers
    came = await comes(stage, "renewed", caller)
    crm.behaviours["customers"] = good
    assert came.landing.exten == "kept"
    async with asyncio.timeout(PATIENCE_S):
        await crm.asked.first(lambda one: crm.paths(caller) == ["customers"] * 2)


async def test_in_an_outage_the_last_known_record_decides(
    house: House, stage: Stage, caller: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as serving, AsyncExitStack() as rest:
        crm = await serving.enter_async_context(Faulty.serving())
        own = Stage(house, await rest.enter_async_context(Engine.serving(write(tmp_path, house, crm.port))))
        assert (await comes(own, "stale", caller)).landing.exten == "live"
        await serving.aclose()
        came, stranger = await comes(own, "stale", caller), await comes(own, "stale", f"{caller}0")
        assert (came.landing.exten, stranger.landing.exten) == ("last", "default")
        said = "1 record (stale: nobody accepts connections at the address; its last answer, 0 s old)"
        assert AGE.sub("0 s", came.source) == said
        await rest.enter_async_context(Faulty.serving(port=crm.port))
        assert (await comes(own, "stale", caller)).landing.exten == "live"


async def test_behind_a_greeting_too_when_the_system_hangs(stage: Stage, crm: Faulty, caller: str) -> None:
    assert (await comes(stage, "greeted", caller)).landing.exten == "live"
    crm.behaviours["greeted"] = never_answers
    came = await comes(stage, "greeted", caller)
    crm.behaviours["greeted"] = good
    assert came.landing.exten == "last"
    assert came.source.startswith("1 record (greeted: no answer in time; its last answer, ")
    await stage.engine.logged("source.down", integration="greeted")


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_a_restart_forgets_nothing(house: House, crm: Faulty, caller: str, tmp_path: Path, how: str) -> None:
    folder = write(tmp_path, house, crm.port)
    async with Engine.serving(folder) as engine:
        assert (await comes(Stage(house, engine), "kept", caller)).landing.exten == "live"
        if how == "stopped":
            engine.terminate()
        else:
            await written(folder / "answers.db", caller)
            engine.kill()
        await engine.ended()
    async with Engine.serving(folder) as engine:
        came = await comes(Stage(house, engine), "kept", caller)
    assert (came.landing.exten, crm.paths(caller)) == ("kept", ["customers"])


async def written(path: Path, text: str) -> None:
    """Wait until an answer stands in the cache's file."""
    async with asyncio.timeout(PATIENCE_S):
        while not path.exists() or not any(text in question for question in questions(path)):
            await asyncio.sleep(0.05)  # a file tells nobody


def questions(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute("SELECT question FROM answers")]
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()


async def test_what_is_found_by_sensitive_digits_is_asked_every_time_and_kept_nowhere(
    stage: Stage, crm: Faulty, caller: str
) -> None:
    assert [(await comes(stage, "pin", caller, PIN)).landing.exten for _ in range(2)] == ["live", "live"]
    assert crm.paths(caller) == ["customers"] * 2
    assert [(await comes(stage, "pin_caller", caller, PIN)).landing.exten for _ in range(2)] == ["live", "kept"]
    await written(stage.engine.folder / "answers.db", caller)
    files = stage.engine.folder.glob("answers.db*")
    assert all(PIN.encode() not in path.read_bytes() for path in files)


async def test_a_route_that_would_keep_them_is_refused(house: House, crm: Faulty, tmp_path: Path) -> None:
    folder = write(tmp_path, house, crm.port)
    (folder / "routes" / "pin.yaml").write_text(route("stale_for: 24h, ", ASKS_PIN, by="input"))
    with pytest.raises(AssertionError, match="what is found by sensitive digits is not kept"):
        async with Engine.serving(folder):
            pass
