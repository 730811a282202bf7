"""`deliveries`: what it lists, and what retry and drop do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from routing_engine.delivery import outbox_table
from routing_engine.delivery.jobs import DROPPED, Job, NewJob
from routing_engine.storage.connector import Connector
from routing_engine.storage.people_table import audit_entries
from routing_engine.storage.place import DatabasePlace
from tests.cli.conftest import Run

pytestmark = pytest.mark.io
AT = 1_800_000_000.0
CALL = "01963f6a-0000-7000-8000-000000000001"


@pytest.fixture
def database(config: Path) -> Connector:
    """One that waits for a CRM after a failure, and one of a webhook that is dead."""
    connector = Connector(DatabasePlace(config / "state" / "calls.db"))
    with connector.transaction() as connection:
        outbox_table.put(connection, [NewJob("crm", CALL, "log"), NewJob("hook", CALL, "webhook", "{}")], AT)
        crm, hook = (outbox_table.claim(connection, lane, AT, "me", 30) for lane in ("crm", "hook"))
        assert crm is not None
        assert hook is not None
        outbox_table.put_off(connection, crm, AT + 60, "the CRM answered 503")
        outbox_table.bury(connection, hook, "400 Bad Request", AT)
    return connector


def jobs(database: Connector) -> list[Job]:
    with database.transaction() as connection:
        return list(outbox_table.listed(connection, None, 10))


def test_who_sends_one_again_or_gives_it_up_is_in_the_audit(run: Run, config: Path, database: Connector) -> None:
    crm, hook = jobs(database)
    run("deliveries", "retry", str(crm.id), "--config", str(config))
    run("deliveries", "drop", str(hook.id), "--config", str(config))
    with database.transaction() as connection:
        entries = audit_entries(connection, "", 0.0, 10)
    told = [(one.what, one.about) for one in reversed(entries)]
    assert told == [("delivery retry", f"{crm.id} crm"), ("delivery drop", f"{hook.id} hook")]


def test_what_waits_and_what_is_dead_is_listed(run: Run, config: Path, database: Connector) -> None:
    code, out, _ = run("--config", str(config), "deliveries")
    assert code == 0
    head, crm, hook = out.splitlines()
    assert head.split()[:4] == ["id", "target", "what", "call"]
    assert crm.split()[:7] == ["1", "crm", "log", CALL, "waiting", "1", "2027-01-15T08:01:00.000Z"]
    assert crm.endswith("the CRM answered 503")
    assert hook.split()[:6] == ["2", "hook", "webhook", CALL, "dead", "1"]


def test_programs_get_what_the_api_gives(run: Run, config: Path, database: Connector) -> None:
    _, out, _ = run("--config", str(config), "deliveries", "--json", "--state", "dead")
    assert json.loads(out) == {
        "deliveries": [
            {
                "id": 2,
                "call": CALL,
                "target": "hook",
                "kind": "webhook",
                "state": "dead",
                "tries": 1,
                "next_try_at": None,
                "error": "400 Bad Request",
            }
        ]
    }


def test_a_dead_one_is_sent_again(run: Run, config: Path, database: Connector) -> None:
    code, out, _ = run("--config", str(config), "deliveries", "retry", "2")
    assert (code, "sent again" in out) == (0, True)
    assert [(job.id, job.state) for job in jobs(database)] == [(1, "waiting"), (2, "waiting")]


def test_one_is_given_up(run: Run, config: Path, database: Connector) -> None:
    code, out, _ = run("--config", str(config), "deliveries", "drop", "1")
    assert (code, DROPPED in out) == (0, True)
    assert jobs(database)[0].error == DROPPED


def test_one_that_is_not_there_is_an_error(run: Run, config: Path, database: Connector) -> None:
    code, _, err = run("--config", str(config), "deliveries", "retry", "4711")
    assert (code, "there is no delivery 4711" in err) == (1, True)


def test_without_a_database_it_says_so_and_makes_none(run: Run, config: Path) -> None:
    code, _, err = run("--config", str(config), "deliveries")
    assert (code, "there is no database yet" in err) == (1, True)
    assert not (config / "state" / "calls.db").exists()


def test_when_nothing_waits_it_says_so(run: Run, config: Path) -> None:
    with Connector(DatabasePlace(config / "state" / "calls.db")).connected():
        pass
    assert run("--config", str(config), "deliveries")[:2] == (0, "nothing waits, and nothing is dead\n")
    assert run("--config", str(config), "deliveries", "--state", "dead")[:2] == (0, "nothing is dead\n")
