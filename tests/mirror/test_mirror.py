"""What calls find in a mirror, and what they are told while it cannot be used."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pytest
from providers import contract
from structlog.testing import capture_logs

from routing_engine.core.model import Record
from routing_engine.core.ports import Batch, Listing
from routing_engine.engine import mirror_readings
from routing_engine.errors import ProviderMisread, ProviderRefused, ProviderThrottled, ProviderUnreachable
from routing_engine.lookup.limiter import Limiter
from routing_engine.mirror.provider import MirrorProvider
from routing_engine.settings.integration import RateLimits
from routing_engine.settings.mirror import MirrorSettings

from .crm import MODEL, PEOPLE, Clock, Crm, CrmSettings, by_caller, by_field, everybody, integration, mirroring

pytestmark = pytest.mark.io

T = TypeVar("T")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def crm(clock: Clock) -> Crm:
    return Crm(clock)


class TestContract(contract.ProviderContract):
    """A mirror is a provider like every other."""

    @pytest.fixture
    async def provider(self, tmp_path: Path, clock: Clock):  # type: ignore[no-untyped-def]
        model = replace(contract.MODELS["contact"], numbers=("phone",))
        ours = {theirs: mine for mine, theirs in model.fields.items()}
        people = [{ours[name]: value for name, value in row.items()} for row in contract.CUSTOMERS]
        crm = Crm(clock, people)  # type: ignore[arg-type]
        crm_url = "https://crm.example.com/contacts/"
        crm.page = _with_pages(crm.page, crm_url)  # type: ignore[method-assign]
        async with mirroring(tmp_path, crm, clock, model=model) as mirror:
            await mirror.pull_due()
            yield mirror


def _with_pages(page, url):  # type: ignore[no-untyped-def]
    async def ask(*args):  # type: ignore[no-untyped-def]
        batch = await page(*args)
        records = [
            replace(
                one, url=url + one.id, fields={name: one.fields[name] for name in contract.MODELS["contact"].fields}
            )
            for one in batch.records
        ]
        return replace(batch, records=records)

    return ask


async def test_calls_are_answered_from_the_index_and_never_from_the_system(
    tmp_path: Path, crm: Crm, clock: Clock
) -> None:
    async with mirroring(tmp_path, crm, clock) as mirror:
        await mirror.pull_due()
        clock.now += 240
        (record,) = await mirror.find(by_caller("0664 765 43 21"))
        assert (record.id, record.origin, record.age_s) == ("2", "snapshot", 240)
        assert (mirror.age_s("contact"), crm.found) == (240, [])


class _OneModelOnly(CrmSettings):
    """A system that lists contacts, and no tickets."""

    def listing(self, model: str) -> Listing:
        return "all" if model == "contact" else ""


async def test_a_model_that_cannot_be_listed_is_asked_in_the_system_itself(
    tmp_path: Path, crm: Crm, clock: Clock
) -> None:
    both = {"contact": MODEL, "ticket": replace(MODEL, name="ticket")}
    of = replace(integration(source=_OneModelOnly()), models=both)
    mirror = MirrorProvider(of, crm, Limiter("crm", RateLimits(failures=0), clock), "AT", tmp_path, clock, clock.sleep)
    await mirror.pull_due()
    assert [one.id for one in await mirror.find(replace(by_field("id", "2"), model="ticket"))] == ["2"]
    assert (len(crm.found), mirror.age_s("ticket"), set(mirror.states)) == (1, None, {"contact"})
    await mirror.close()


@pytest.mark.parametrize("number", ["+43 664 1111111", "+49 30 123456"])
async def test_every_number_of_a_list_is_found(tmp_path: Path, crm: Crm, clock: Clock, number: str) -> None:
    async with mirroring(tmp_path, crm, clock) as mirror:
        await mirror.pull_due()
        (record,) = await mirror.find(by_caller(number))
        assert (record.id, record.fields["phone"]) == ("3", ("+49 30 123456", "0664 1111111"))


async def test_numbers_without_their_plus_are_found_where_that_is_how_they_are_kept(
    tmp_path: Path, clock: Clock
) -> None:
    crm = Crm(clock, [{**PEOPLE[0], "phone": "436641234567"}])
    async with mirroring(tmp_path, crm, clock) as mirror:
        await mirror.pull_due()
        assert [record.id for record in await mirror.find(by_caller("+436641234567", form="digits"))] == ["1"]


async def test_a_field_that_nobody_searched_before_is_found_too(tmp_path: Path, crm: Crm, clock: Clock) -> None:
    async with mirroring(tmp_path, crm, clock) as mirror:
        await mirror.pull_due()
        assert [record.id for record in await mirror.find(by_field("city", " Linz "))] == ["1", "2"]
        crm.save({**PEOPLE[0], "city": "Wien"})
        clock.now += 300
        await mirror.pull_due()
        assert [record.id for record in await mirror.find(by_field("city", "Linz"))] == ["2"]
        assert await mirror.find(by_field("city", "")) == []


async def test_before_the_first_pull_the_source_is_down_and_says_why(tmp_path: Path, crm: Crm, clock: Clock) -> None:
    crm.faults = [ProviderRefused("crm: the key is wrong")]
    async with mirroring(tmp_path, crm, clock) as mirror:
        with pytest.raises(ProviderUnreachable, match="crm: its records are being pulled for the first time"):
            await mirror.find(by_field("id", "1"))
        await mirror.pull_due()
        with pytest.raises(ProviderUnreachable, match="the key is wrong"):
            await mirror.find(by_field("id", "1"))


async def test_or_it_is_asked_live_by_choice(tmp_path: Path, crm: Crm, clock: Clock) -> None:
    async with mirroring(tmp_path, crm, clock, MirrorSettings(until_ready="live")) as mirror:
        (record,) = await mirror.find(by_field("id", "1"))
        assert (record.origin, mirror.age_s("contact"), len(crm.found)) == ("live", None, 1)
        await mirror.pull_due()
        (record,) = await mirror.find(by_field("id", "1"))
        assert (record.origin, len(crm.found)) == ("snapshot", 1)


async def test_a_mirror_that_is_too_old_counts_as_down(tmp_path: Path, crm: Crm, clock: Clock) -> None:
    async with mirroring(tmp_path, crm, clock, MirrorSettings(usable_for_s=86_400)) as mirror:
        await mirror.pull_due()
        clock.now += 86_400
        assert len(await mirror.find(by_field("id", "1"))) == 1
        clock.now += 1
        with pytest.raises(ProviderUnreachable, match="last pulled too long ago"):
            await mirror.find(by_field("id", "1"))


async def test_changes_are_pulled_with_an_overlap_and_deleted_records_go(
    tmp_path: Path, crm: Crm, clock: Clock
) -> None:
    async with mirroring(tmp_path, crm, clock) as mirror:
        await mirror.pull_due()
        clock.now += 200
        crm.save({**PEOPLE[0], "phone": "+43 1 5550000"})
        crm.save({"id": "9", "phone": "+43 1 5551111"})
        crm.delete("2")
        await mirror.pull_due()
        assert await mirror.find(by_caller("+43 1 5550000")) == []  # not due yet
        clock.now += 100
        await mirror.pull_due()
        assert await everybody(mirror, "1239") == {id_: dict(row) for id_, (_, row) in crm.rows.items()}
        assert await mirror.find(by_caller("+436641234567")) == []
        assert [kind for kind, _ in crm.asked] == ["full", "full", "changes", "changes"]


async def test_a_system_that_lists_no_changes_is_pulled_whole(tmp_path: Path, crm: Crm, clock: Clock) -> None:
    settings = MirrorSettings(full_every_s=3600)
    async with mirroring(tmp_path, crm, clock, settings, source=CrmSettings("all")) as mirror:
        await mirror.pull_due()
        clock.now += 3000
        crm.delete("2")
        await mirror.pull_due()
        assert len(crm.asked) == 2
        clock.now += 600
        await mirror.pull_due()
        assert (len(crm.asked), sorted(await everybody(mirror, "123"))) == (3, ["1", "3"])


async def test_a_pull_that_fails_half_way_leaves_the_last_good_one(tmp_path: Path, crm: Crm, clock: Clock) -> None:
    async with mirroring(tmp_path, crm, clock, MirrorSettings(full_every_s=3600), source=CrmSettings("all")) as mirror:
        await mirror.pull_due()
        crm.save({**PEOPLE[0], "name": "Changed"})
        crm.faults = [None, ProviderMisread("crm: half a page came")]
        clock.now += 3600
        with capture_logs() as logs:
            await mirror.pull_due()
            await mirror.pull_due()
        assert [(log["event"], log.get("kept")) for log in logs] == [("mirror.failing", 3)]
        assert (await everybody(mirror, "1"))["1"]["name"] == "Anna"
        clock.now += 15
        with capture_logs() as logs:
            await mirror.pull_due()
        assert [log["event"] for log in logs] == ["mirror.back", "mirror.pulled"]
        assert (await everybody(mirror, "1"))["1"]["name"] == "Changed"


async def test_a_page_that_failed_is_asked_for_again_and_what_was_pulled_stays(
    tmp_path: Path, crm: Crm, clock: Clock
) -> None:
    crm.faults = [None, ProviderThrottled("crm: too many requests", 60.0), ProviderUnreachable("crm: gone")]
    async with mirroring(tmp_path, crm, clock) as mirror:
        await mirror.pull_due()
        assert crm.asked == [("full", ""), ("full", "2"), ("full", "2"), ("full", "2")]
        assert (clock.slept, sorted(await everybody(mirror, "123"))) == ([60.0, 2.0], ["1", "2", "3"])


async def test_a_page_that_never_comes_ends_the_pull_after_minutes(tmp_path: Path, crm: Crm, clock: Clock) -> None:
    crm.faults = [None, *(ProviderUnreachable("crm: gone") for _ in range(7))]
    async with mirroring(tmp_path, crm, clock) as mirror:
        await mirror.pull_due()
        assert (sum(clock.slept), len(crm.asked)) == (203, 8)
        assert mirror.states["contact"].failing == "crm: gone"


async def test_pulls_ask_the_guard_of_the_integration_and_look_ups_do_not(
    tmp_path: Path, crm: Crm, clock: Clock
) -> None:
    guard = Watched()
    mirror = MirrorProvider(integration(), crm, guard, "AT", tmp_path, clock, clock.sleep)
    crm.faults = [None, ProviderThrottled("crm: too many", 9.0), ProviderUnreachable("crm: gone")]
    await mirror.pull_due()
    asked = ["answered", "ProviderThrottled", "ProviderUnreachable", "answered"]
    assert guard.told == asked
    await mirror.find(by_caller("+43 664 1234567"))
    assert guard.told == asked
    await mirror.close()


class Watched:
    """Keeps the port `Throttle`, and notes what came of each question."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def run(self, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            found = await ask()
        except Exception as error:
            self.told.append(type(error).__name__)
            raise
        self.told.append("answered")
        return found


async def test_a_pull_that_would_lose_most_records_is_not_believed_until_it_is_accepted(
    tmp_path: Path, clock: Clock
) -> None:
    crm = Crm(clock, [{"id": str(n), "phone": f"+43 1 555{n:04}"} for n in range(40)], page=7)
    async with mirroring(tmp_path, crm, clock, MirrorSettings(full_every_s=3600), source=CrmSettings("all")) as mirror:
        await mirror.pull_due()
        for n in range(25):
            crm.delete(str(n))
        clock.now += 3600
        await mirror.pull_due()
        state = mirror.states["contact"]
        assert state.held is not None
        assert (state.held.records, "15 records came where there were 40" in state.failing) == (40, True)
        assert len(await mirror.find(by_caller("+43 1 5550001"))) == 1
        pulled = await mirror.pull("contact", "full", accept=True)
        assert (pulled and pulled.records, await mirror.find(by_caller("+43 1 5550001"))) == (15, [])


async def test_a_list_of_the_deleted_that_names_everybody_is_not_believed(
    tmp_path: Path, crm: Crm, clock: Clock
) -> None:
    async with mirroring(tmp_path, crm, clock) as mirror:
        await mirror.pull_due()
        clock.now += 300
        for id_ in "123":
            crm.delete(id_)
        await mirror.pull_due()
        assert (sorted(await everybody(mirror, "123")), "not believed" in mirror.states["contact"].failing) == (
            ["1", "2", "3"],
            True,
        )


async def test_a_restart_pulls_nothing_that_is_there(tmp_path: Path, crm: Crm, clock: Clock) -> None:
    for _ in range(2):
        async with mirroring(tmp_path, crm, clock) as mirror:
            await mirror.pull_due()
            assert len(await mirror.find(by_field("id", "1"))) == 1
    assert (len(crm.asked), crm.closed) == (2, True)


async def test_another_field_map_is_pulled_anew_before_it_is_used(tmp_path: Path, crm: Crm, clock: Clock) -> None:
    async with mirroring(tmp_path, crm, clock) as mirror:
        await mirror.pull_due()
    other = replace(MODEL, fields={"id": "id", "phone": "tel"})
    async with mirroring(tmp_path, crm, clock, model=other) as mirror:
        with pytest.raises(ProviderUnreachable, match="another field map"):
            await mirror.find(by_field("id", "1"))
        await mirror.pull_due()
        assert len(await mirror.find(by_field("id", "1"))) == 1


async def test_another_address_is_pulled_at_once_while_the_last_records_are_used(
    tmp_path: Path, crm: Crm, clock: Clock
) -> None:
    async with mirroring(tmp_path, crm, clock) as mirror:
        await mirror.pull_due()
    async with mirroring(tmp_path, crm, clock, source=CrmSettings(address="https://new.example.com")) as mirror:
        assert len(await mirror.find(by_field("id", "1"))) == 1
        await mirror.pull_due()
        assert [kind for kind, _ in crm.asked] == ["full"] * 4


async def test_records_without_an_id_are_refused(tmp_path: Path, clock: Clock) -> None:
    crm = Crm(clock, [{"id": "", "phone": "+43 1 5550000"}])
    async with mirroring(tmp_path, crm, clock) as mirror:
        await mirror.pull_due()
        assert "map the field 'id'" in mirror.states["contact"].failing


class Losing(Crm):
    """A system that loses a record while its pages are read, and says so on the last one."""

    async def page(self, model: str, since: datetime | None, cursor: str) -> Batch:
        batch = await super().page(model, since, cursor)
        return batch if batch.cursor else replace(batch, gone=["1"])


async def test_a_record_that_goes_during_a_full_pull_is_not_in_it(tmp_path: Path, clock: Clock) -> None:
    async with mirroring(tmp_path, Losing(clock), clock) as mirror:
        await mirror.pull_due()
        state = mirror.states["contact"]
        assert state.held is not None
        assert (state.held.records, await mirror.find(by_field("id", "1"))) == (2, [])


async def test_pages_that_go_round_in_a_circle_end(tmp_path: Path, clock: Clock) -> None:
    crm = Crm(clock, page=0)
    async with mirroring(tmp_path, crm, clock) as mirror:
        await mirror.pull_due()
        assert "go round in a circle" in mirror.states["contact"].failing


def rows(folder: Path) -> int:
    """How many records are on the disk, in force or not."""
    with closing(sqlite3.connect(next(folder.glob("*.db")))) as connection:
        return int(connection.execute("SELECT count(*) FROM records").fetchone()[0])


class Endless(Crm):
    """Its `next` never ends: each page has other records, and another cursor of `longer` characters."""

    longer = 0
    text = ""

    async def page(self, model: str, since: datetime | None, cursor: str) -> Batch:
        self.asked.append(("full" if since is None else "changes", cursor))
        number = len(self.asked)
        record = Record({"id": str(number), "name": self.text, "phone": f"+4315{number:06}"}, f"e{number}")
        return Batch([record], [], str(number).rjust(self.longer, "0"))


@pytest.mark.parametrize(
    ("settings", "pages", "why"),
    [
        ({"max_records": 40}, 41, "crm: 'contact': more than 40 records came; raise max_records"),
        ({"max_mb": 1}, 12, "crm: 'contact': more than 1 MB came; raise max_mb"),
    ],
)
async def test_a_list_that_never_ends_is_ended_and_leaves_nothing(
    tmp_path: Path, clock: Clock, settings: dict[str, int], pages: int, why: str
) -> None:
    crm = Endless(clock)
    crm.text = "x" * (90_000 if "max_mb" in settings else 10)
    async with mirroring(tmp_path, crm, clock, MirrorSettings(**settings)) as mirror:
        await mirror.pull_due()
        assert mirror.states["contact"].failing == why
        assert len(crm.asked) == pages
    assert rows(tmp_path) == 0


async def test_changes_that_never_end_are_ended_and_the_last_good_records_answer(tmp_path: Path, clock: Clock) -> None:
    crm = Crm(clock)
    async with mirroring(tmp_path, crm, clock, MirrorSettings(max_records=40)) as mirror:
        await mirror.pull_due()
        crm.page = Endless(clock).page  # type: ignore[method-assign]
        clock.now += 300
        await mirror.pull_due()
        assert "more than 40 records came" in mirror.states["contact"].failing
        for _ in range(3):
            clock.now += 900
            await mirror.pull_due()
        assert rows(tmp_path) <= 45, "another try adds nothing"
        assert len(await mirror.find(by_caller("+43 664 1234567"))) == 1


@pytest.mark.parametrize(("longer", "ends"), [(4096, "more than 9 records"), (4097, "a cursor of more than 4 KB")])
async def test_a_cursor_has_no_more_than_4_kb(tmp_path: Path, clock: Clock, longer: int, ends: str) -> None:
    crm = Endless(clock)
    crm.longer = longer
    async with mirroring(tmp_path, crm, clock, MirrorSettings(max_records=9)) as mirror:
        await mirror.pull_due()
        assert ends in mirror.states["contact"].failing


async def test_a_broken_file_is_begun_anew(tmp_path: Path, crm: Crm, clock: Clock) -> None:
    async with mirroring(tmp_path, crm, clock) as mirror:
        await mirror.pull_due()
    (file,) = tmp_path.glob("*.db")
    file.write_bytes(b"no database at all " * 1000)
    async with mirroring(tmp_path, crm, clock) as mirror:
        with pytest.raises(ProviderUnreachable, match="its mirror on the disk cannot be used"):
            await mirror.find(by_field("id", "1"))
        with capture_logs() as logs:
            await mirror.pull_due()
        assert [log["event"] for log in logs] == ["mirror.renewed", "mirror.pulled"]
        assert len(await mirror.find(by_field("id", "1"))) == 1


async def test_only_one_of_two_engines_pulls_and_both_answer(tmp_path: Path, crm: Crm, clock: Clock) -> None:
    async with mirroring(tmp_path, crm, clock) as one, mirroring(tmp_path, crm, clock) as other:
        during = []
        page = crm.page

        async def watched(*args):  # type: ignore[no-untyped-def]
            during.append(await other.pull("contact"))
            return await page(*args)

        crm.page = watched  # type: ignore[method-assign]
        await one.pull_due()
        await other.pull_due()
        assert (during, len(crm.asked)) == ([None, None], 2)
        assert len(await other.find(by_field("id", "1"))) == len(await one.find(by_field("id", "1"))) == 1


async def test_the_file_is_for_its_owner_alone(tmp_path: Path, crm: Crm, clock: Clock) -> None:
    async with mirroring(tmp_path / "state" / "mirror", crm, clock) as mirror:
        await mirror.pull_due()
        modes = {path.name: os.stat(path).st_mode & 0o777 for path in (tmp_path / "state" / "mirror").iterdir()}
    assert set(modes.values()) == {0o600}, modes


async def test_a_clock_that_was_set_back_stops_nothing(tmp_path: Path, crm: Crm, clock: Clock) -> None:
    async with mirroring(tmp_path, crm, clock) as mirror:
        await mirror.pull_due()
        clock.now -= 86_400
        crm.save({**PEOPLE[0], "name": "Changed"})
        await mirror.pull_due()
        assert (await everybody(mirror, "1"))["1"]["name"] == "Changed"


async def test_metrics_are_told_how_a_mirror_is_once_its_first_pull_is_complete(
    tmp_path: Path, crm: Crm, clock: Clock
) -> None:
    async with mirroring(tmp_path, crm, clock) as mirror:
        assert list(mirror_readings({"crm": mirror}, clock)) == []
        await mirror.pull_due()
        pulled = clock.now
        clock.now += 240
        told = {reading.metric: reading.value for reading in mirror_readings({"crm": mirror, "erp": crm}, clock)}
    assert told == {
        "mirror_records": 3,
        "mirror_age_seconds": 240,
        "mirror_full_timestamp_seconds": pulled,
        "mirror_failing": 0,
    }
