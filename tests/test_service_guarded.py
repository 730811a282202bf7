"""A change that waits has the callers that it is given, is taken back when it does worse, and outlives a restart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from test_service import call
from test_service_observed import scrape

from routing_engine.cli import main
from routing_engine.cli.examination import Folder, look_at_revision
from routing_engine.config import activation
from routing_engine.config.put_back import put_back
from routing_engine.config.revisions import Revisions
from routing_engine.config.tell_trial import read_counts
from routing_engine.core.events import CallEnded
from routing_engine.engine import open_store
from routing_engine.errors import RevisionError
from routing_engine.service import Service
from routing_engine.subscribers import SUBSCRIBERS, Host, Subscriber

pytestmark = pytest.mark.io

NOW = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
ENGINE = "region: AT\nlisteners: {fastagi: '127.0.0.1:0'}\njournal: none\nactivation: {calls: 5}\n"
ROUTE = "rules: [{name: any, to: {queue: QUEUE}}]\ndefault: {to: {ivr: main}}\n"
#: A change that sends everybody to the default.
BAD = "rules: [{name: never, when: {call.caller: nobody}, to: {queue: vip}}]\ndefault: {to: {ivr: main}}\n"
OFFICE = "calendars: {office: {hours: {daily: 24h}}}\n"
TESTER = "+436641112223"


def write(folder: Path, route: str, engine: str = ENGINE) -> Path:
    (folder / "routes").mkdir(parents=True, exist_ok=True)
    (folder / "engine.yaml").write_text(engine)
    (folder / "routes" / "support.yaml").write_text(route)
    return folder


def route(queue: str) -> str:
    return ROUTE.replace("QUEUE", queue)


class Line:
    """Calls the engine, one call after the other; each is over, and counted, when it has landed."""

    def __init__(self) -> None:
        self.port, self.ended = 0, asyncio.Queue[CallEnded]()

    async def open(self, host: Host) -> Subscriber:
        host.events.subscribe_at_once(CallEnded, self.ended.put_nowait)
        return Subscriber()

    async def lands(self, caller: str) -> str:
        found = await call(self.port, callerid=caller, network_script="support")
        await self.ended.get()
        return found.get("ROUTE_TARGET", "-")


@asynccontextmanager
async def serving(folder: Path, looks: bool = False) -> AsyncIterator[tuple[Service, Line]]:
    """Run the engine; it `looks` at the folder by itself, or where a test says so."""
    line = Line()
    service = Service(open_store(folder), (*SUBSCRIBERS, line.open))
    await service.start()
    line.port = int(service.addresses[0].rpartition(":")[2])
    running = asyncio.create_task(service.run()) if looks else None
    try:
        yield service, line
    finally:
        service.stop()
        await (running or service.run())


async def changed(service: Service, folder: Path, text: str) -> Revisions:
    """Write another route and let the engine read it; return the revisions of the folder."""
    write(folder, text)
    assert await service.reload()
    return Revisions(folder)


def waiting(kept: Revisions) -> str:
    found = kept.standing.read()
    return "" if found is None or found.candidate is None else found.candidate.stage


async def test_a_change_waits_and_then_has_the_callers_that_it_is_given(tmp_path: Path) -> None:
    async with serving(write(tmp_path, route("old"))) as (service, line):
        kept = await changed(service, tmp_path, route("new"))
        assert (await line.lands(TESTER), waiting(kept)) == ("old", "waiting")
        activation.try_out(kept, "anna", NOW, callers=[TESTER])
        await service.reload()
        assert [await line.lands(one) for one in (TESTER, "+436649999999")] == ["new", "old"]
        activation.try_out(kept, "anna", NOW, share=100)
        await service.reload()
        assert await line.lands("+436649999999") == "new"
        activation.put_in_force(kept, "anna", NOW)
        await service.reload()
        assert (await line.lands("anonymous"), waiting(kept)) == ("new", "")
        assert service.calls.newest.configuration.revision == kept.newest


async def test_what_is_put_in_force_keeps_what_it_has_opened(tmp_path: Path) -> None:
    async with serving(write(tmp_path, route("old"))) as (service, _):
        kept = await changed(service, tmp_path, route("new"))
        activation.try_out(kept, "anna", NOW, share=50)
        await service.reload()
        activation.put_in_force(kept, "anna", NOW)
        await service.reload()
        assert len(service.calls.active) == 1


async def test_a_restart_changes_nothing_of_it(tmp_path: Path) -> None:
    async with serving(write(tmp_path, route("old"))) as (service, _):
        kept = await changed(service, tmp_path, route("new"))
        activation.try_out(kept, "anna", NOW, callers=[TESTER])
    async with serving(tmp_path) as (_, line):
        assert [await line.lands(one) for one in (TESTER, "+436649999999")] == ["new", "old"]


async def test_a_change_made_while_the_engine_is_stopped_waits_too(tmp_path: Path) -> None:
    async with serving(write(tmp_path, route("old"))):
        pass
    async with serving(write(tmp_path, route("new"))) as (_, line):
        assert (await line.lands(TESTER), waiting(Revisions(tmp_path))) == ("old", "waiting")


async def test_a_bad_change_is_taken_back_by_itself(tmp_path: Path) -> None:
    async with serving(write(tmp_path, route("old"))) as (service, line):
        kept = await changed(service, tmp_path, BAD)
        activation.try_out(kept, "anna", NOW, callers=[TESTER])
        await service.reload()
        for number in range(20):
            await line.lands(f"+43664900{number:04}")
        assert [await line.lands(TESTER) for _ in range(5)] == ["main"] * 5
        await service.guard.look()
        await service.reload()
        assert (await line.lands(TESTER), waiting(kept)) == ("old", "back")
    found = kept.standing.read()
    assert found is not None
    assert found.candidate is not None
    assert found.candidate.why.startswith("5 of 5 calls took the default, in force 0 of 20")


async def test_a_route_that_is_gone_takes_its_change_back_after_three_calls(tmp_path: Path) -> None:
    async with serving(write(tmp_path, route("old"))) as (service, line):
        (tmp_path / "routes" / "support.yaml").rename(tmp_path / "routes" / "support2.yaml")
        await service.reload()
        kept = Revisions(tmp_path)
        activation.try_out(kept, "anna", NOW, callers=[TESTER])
        await service.reload()
        assert [await line.lands(TESTER) for _ in range(3)] == ["-"] * 3
        await service.guard.look()
        assert waiting(kept) == "back"


async def test_what_was_counted_outlives_a_restart(tmp_path: Path) -> None:
    async with serving(write(tmp_path, route("old"))) as (service, line):
        kept = await changed(service, tmp_path, route("new"))
        activation.try_out(kept, "anna", NOW, callers=[TESTER])
        await service.reload()
        await line.lands(TESTER)
        await service.guard.look()
    async with serving(tmp_path) as (service, line):
        await line.lands(TESTER)
        await service.guard.look()
        found = kept.standing.read()
    assert found is not None
    assert read_counts(kept, found.candidate).trial.calls == 2


async def test_another_change_waits_anew_and_the_older_one_is_gone(tmp_path: Path) -> None:
    async with serving(write(tmp_path, route("old"))) as (service, line):
        kept = await changed(service, tmp_path, route("new"))
        activation.try_out(kept, "anna", NOW, share=100)
        await service.reload()
        await changed(service, tmp_path, route("newer"))
        assert (await line.lands(TESTER), waiting(kept)) == ("old", "waiting")
        await changed(service, tmp_path, route("old"))
        assert waiting(kept) == ""


async def test_a_broken_folder_leaves_the_trial_as_it_is_and_it_can_be_ended(tmp_path: Path) -> None:
    async with serving(write(tmp_path, route("old"))) as (service, line):
        kept = await changed(service, tmp_path, route("new"))
        activation.try_out(kept, "anna", NOW, share=100)
        await service.reload()
        write(tmp_path, "default: [")
        assert not await service.reload()
        assert await line.lands(TESTER) == "new"
        activation.take_back(kept, "anna", NOW)
        await service.reload()
        assert await line.lands(TESTER) == "old"


async def test_a_restart_with_a_broken_folder_goes_on_with_the_trial(tmp_path: Path) -> None:
    async with serving(write(tmp_path, route("old"))) as (service, _):
        kept = await changed(service, tmp_path, route("new"))
        activation.try_out(kept, "anna", NOW, callers=[TESTER])
        await service.reload()
    async with serving(write(tmp_path, "default: [")) as (_, line):
        assert [await line.lands(one) for one in (TESTER, "+436649999999")] == ["new", "old"]


async def test_what_is_switched_by_hand_counts_for_both_at_once(tmp_path: Path) -> None:
    night = "rules: [{name: night, when: {call.calendar: closed}, to: {queue: night}}]\n"
    old, new = (f"{night}default: {{to: {{queue: {queue}}}}}\n" for queue in ("old", "new"))
    async with serving(write(tmp_path, old, ENGINE + OFFICE)) as (service, line):
        write(tmp_path, new, ENGINE + OFFICE)
        await service.reload()
        activation.try_out(Revisions(tmp_path), "anna", NOW, callers=[TESTER])
        await service.reload()
        assert [await line.lands(one) for one in (TESTER, "+436649999999")] == ["new", "old"]
        main(["calendar", "close", "office", "until", "2099-01-01 12:00", "--config", str(tmp_path)])
        await service.reload()
        assert [await line.lands(one) for one in (TESTER, "+436649999999")] == ["night", "night"]


async def test_a_rollback_counts_at_once_also_where_changes_wait(tmp_path: Path) -> None:
    async with serving(write(tmp_path, route("old"))) as (service, line):
        kept = await changed(service, tmp_path, route("new"))
        first = kept.newest
        activation.put_in_force(kept, "anna", NOW)
        await service.reload()
        put_back(kept, kept.read(first), "anna", NOW)
        await service.reload()
        assert (await line.lands(TESTER), waiting(kept)) == ("old", "")
        await changed(service, tmp_path, route("newest"))
        assert (await line.lands(TESTER), waiting(kept)) == ("old", "waiting")


async def test_an_older_revision_is_held_while_the_folder_is_left_alone(tmp_path: Path) -> None:
    plain = ENGINE.replace("activation: {calls: 5}\n", "")
    async with serving(write(tmp_path, route("old"), plain)) as (service, line):
        write(tmp_path, route("new"), plain)
        await service.reload()
        kept = Revisions(tmp_path)
        older = kept.before(kept.newest)
        assert older is not None
        activation.hold(kept, older, "anna", NOW)
        await service.reload()
        assert (await line.lands(TESTER), waiting(kept)) == ("old", "back")
        write(tmp_path, route("newest"), plain)
        await service.reload()
        assert (await line.lands(TESTER), waiting(kept)) == ("newest", "")


async def test_where_nothing_waits_there_is_nothing_to_activate(tmp_path: Path) -> None:
    async with serving(write(tmp_path, route("old"))):
        with pytest.raises(RevisionError, match="nothing waits: what the folder holds is in force"):
            activation.put_in_force(Revisions(tmp_path), "anna", NOW)


async def test_whoever_asks_hears_what_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(write(tmp_path, route("old"))) as (service, _):
        await changed(service, tmp_path, route("new"))
        assert main(["activate", "--share", "10%", "--config", str(tmp_path)]) == 0
        assert "is on trial, for 10 % of the callers" in capsys.readouterr().out
        assert main(["activate", "--share", "ten", "--config", str(tmp_path)]) == 2
        assert main(["activate", "--all", "--back", "--config", str(tmp_path)]) == 2
        await service.reload()
        assert "is on trial, for 10 % of the callers" in service.guard.remark()
        main(["check", "--config", str(tmp_path)])
        assert "is on trial, for 10 % of the callers; in force is revision" in capsys.readouterr().err


async def test_ready_doctor_and_metrics_say_what_waits(tmp_path: Path) -> None:
    engine = ENGINE.replace("'127.0.0.1:0'}", "'127.0.0.1:0', metrics: '127.0.0.1:0'}")
    async with serving(write(tmp_path, route("old"), engine)) as (service, _):
        write(tmp_path, route("new"), engine)
        await service.reload()
        activation.try_out(Revisions(tmp_path), "anna", NOW, share=25)
        await service.reload()
        ready, figures = [await scrape(service.listening["metrics"][0], path) for path in ("ready", "metrics")]
        (finding,) = look_at_revision(Folder(tmp_path))
    assert (ready[0], "is on trial, for 25 % of the callers" in ready[1]) == (200, True)
    assert "routing_engine_activation_share_ratio 0.25" in figures[1]
    assert (finding.state, "is on trial, for 25 % of the callers" in finding.sentence) == ("fine", True)


async def test_reload_has_the_engine_read_the_folder_and_says_what_came_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(write(tmp_path, route("old")), looks=True):
        codes = [await asyncio.to_thread(main, ["reload", "--config", str(tmp_path)])]
        write(tmp_path, "default: [")
        codes.append(await asyncio.to_thread(main, ["reload", "--config", str(tmp_path)]))
    told = capsys.readouterr()
    assert codes == [0, 1]
    assert f"revision {Revisions(tmp_path).newest} is in force" in told.out
    assert f"the folder cannot be used: revision {Revisions(tmp_path).newest} stays in force" in told.err
