"""`calls`, `explain` and `forget` of calls that were followed to their end."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from routing_engine.calls.as_json import call_json
from routing_engine.calls.call import (
    Call,
    CallContact,
    CallDelivery,
    CallRecording,
    CallRoute,
    CallTransfer,
    Leg,
    Note,
)
from routing_engine.storage import calls_table
from routing_engine.storage.connector import Connector
from routing_engine.storage.place import DatabasePlace
from tests.cli.conftest import Run
from tests.journal.calls import AT, abandoned, bytes_of, routed, settings, write

pytestmark = pytest.mark.io

START = AT.timestamp()
#: A call that was routed, rang at two telephones, was answered, passed on, and written.
CALL = Call(
    "0197-a", "main", "1795198986.2", "inbound", START, from_="+436641234567", to="+4312345601", did="+4312345601",
    state="ended", outcome="answered", ringing_at=START + 2, answered_at=START + 8, ended_at=START + 70,
    duration_s=70.0, wait_s=8.0, talk_s=60.0, hold_s=2.0, user="bernd", queue="vip", hangup_by="other", cause=16,
    legs=(
        Leg("main/201", "anna", START + 2, START + 8, START + 20, "transferred"),
        Leg("main/202", "bernd", START + 20, START + 21, START + 70, "answered"),
        Leg("main/203", None, START + 2, None, START + 8, "elsewhere"),
    ),
    transfers=(CallTransfer(START + 20, "main/201", "main/202", "blind"),),
    contact=CallContact("routed", "crm", "contact", "0012345678", "Anna Huber"),
    route=CallRoute("support", "silver", "matched", "9bc5", "1795198986.2"),
    recording=CallRecording("attached", 60.0), tags=("vip",), sentiment="positive",
    notes=(Note(START + 80, "bernd", "calls back on +43 664 1234567"),),
    deliveries={
        "crm": CallDelivery("done", 1, id="7", url="https://crm.example/7"),
        "automation": CallDelivery("waiting", 3, START + 100, error="HTTP 503"),
    },
)  # fmt: skip
MISSED = Call(
    "0197-b", "main", "9.9", "inbound", START + 100, from_="+4315550199", to="+4312345601", state="ended",
    outcome="missed", ended_at=START + 130, stranded="NOTFOUND", legs=(Leg("main/201", "anna", result="cancelled"),),
)  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "engine.yaml").write_text("region: AT\ntimezone: Europe/Vienna\n")
    return folder


def fill(config: Path, *calls: Call, decisions: Any = ()) -> Path:
    path = config / "state" / "calls.db"
    asyncio.run(write(path, *decisions, kept=settings("plain")))
    with Connector(DatabasePlace(path)).transaction() as connection:
        for call in calls:
            calls_table.save_call(connection, call)
    return path


LISTED = """\
started              call          direction  from    to      outcome            by     talked  route
2026-11-18 10:31:55  9.9           inbound    ...199  ...601  missed, emergency
2026-11-18 10:30:15  1795198986.2  inbound    ...567  ...601  answered           bernd  60 s    support
"""


def test_calls_lists_what_became_of_each(run: Run, config: Path) -> None:
    fill(config, CALL, MISSED, decisions=[abandoned()])
    assert run("calls", "--config", str(config)) == (0, LISTED, "")


def test_calls_as_json_are_those_of_the_contract(run: Run, config: Path) -> None:
    fill(config, CALL)
    out = run("calls", "--json", "--plain", "--config", str(config))[1]
    assert json.loads(out) == call_json(CALL)
    masked = json.loads(run("calls", "--json", "--config", str(config))[1])
    assert (masked["from"], masked["started_at"]) == ("...567", call_json(CALL)["started_at"])
    assert "6641234567" not in json.dumps(masked)


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ("--user anna", ["9.9", "1795198986.2"]),
        ("--user bernd", ["1795198986.2"]),
        ("--outcome missed", ["9.9"]),
        ("--direction outbound", []),
        ("--caller 0664/1234567", ["1795198986.2"]),
        ("--since 2026-11-18T10:31", ["9.9"]),
        ("--until 2026-11-18T10:31", ["1795198986.2"]),
        ("--limit 1", ["9.9"]),
    ],
)
def test_what_narrows_the_list(run: Run, config: Path, arguments: str, ids: list[str]) -> None:
    fill(config, CALL, MISSED)
    code, out, _ = run("calls", "--json", *arguments.split(), "--config", str(config))
    assert (code, [json.loads(line)["pbx_call_id"] for line in out.splitlines()]) == (0, ids)


@pytest.mark.parametrize("arguments", ["--decisions", "--route support", "--reason abandoned"])
def test_what_only_decisions_have_lists_decisions(run: Run, config: Path, arguments: str) -> None:
    fill(config, CALL, decisions=[routed(), abandoned()])
    assert run("calls", *arguments.split(), "--config", str(config))[1].startswith("arrived")


TOLD = """\
answered by bernd (inbound)
  call      1795198986.2 of main, 2026-11-18 10:30:15+0100
  from      ...567 to ...601
  queue     vip
  rang      main/201 (anna): transferred, rang 10:30:17, answered 10:30:23, left 10:30:35
            main/202 (bernd): answered, rang 10:30:35, answered 10:30:36, left 10:31:25
            main/203: elsewhere, rang 10:30:17, left 10:30:23
  passed on blind, by main/201 to main/202, 10:30:35
  lasted    in all 70.0 s, waited 8.0 s, talked 60.0 s, held 2.0 s
  ended     10:31:25, hung up by the other party, cause 16
  contact   Anna Huber crm contact 0012345678 (routed)
  recording attached
  written   crm: done 7 https://crm.example/7
            automation: waiting after 3 tries, again 10:31:55: HTTP 503
  notes     10:31:35 bernd: calls back on ...567
  marked    vip, positive
"""


def test_explain_tells_the_decision_and_then_the_call_to_its_end(run: Run, config: Path) -> None:
    fill(config, CALL, decisions=[routed()])
    code, out, _ = run("explain", "1795198986.2", "--config", str(config))
    decision, _, call = out.partition("\n\nanswered by")
    assert (code, decision.splitlines()[0][:20]) == (0, "queue vip, priority ")
    assert f"answered by{call}" == TOLD


@pytest.mark.parametrize("call_id", ["0197-a", "1795198986.2"])
def test_explain_takes_our_id_as_well(run: Run, config: Path, call_id: str) -> None:
    fill(config, CALL, decisions=[routed()])
    (found,) = json.loads(run("explain", call_id, "--json", "--plain", "--config", str(config))[1])
    assert (found["call_id"], found["call"]["id"], found["call"]["from"]) == ("1795198986.2", "0197-a", "+436641234567")


def test_explain_tells_a_call_that_nobody_decided_and_the_emergency_that_ended_it(run: Run, config: Path) -> None:
    fill(config, MISSED)
    out = run("explain", "9.9", "--config", str(config))[1]
    assert out.startswith("missed (inbound)\n")
    assert "            the dialplan's emergency prompt ended it (NOTFOUND)\n" in out
    assert [one["call"]["id"] for one in json.loads(run("explain", "9.9", "--json", "--config", str(config))[1])] == [
        "0197-b"
    ]


def test_no_text_of_a_call_reaches_the_terminal_as_a_command(run: Run, config: Path) -> None:
    evil = "\x1b[2J\u202e\x9b31m"
    note, leg = Note(START, evil, evil), Leg(evil, evil)
    fill(config, replace(CALL, from_=evil, to=evil, user=evil, queue=evil, notes=(note,), legs=(leg,), tags=(evil,)))
    for command in (("explain", "0197-a"), ("calls",), ("calls", "--json"), ("explain", "0197-a", "--json")):
        assert run(*command, "--plain", "--config", str(config))[1].replace("\n", "").isprintable()


def test_forget_removes_the_calls_of_a_number_and_its_mentions_from_the_bytes(run: Run, config: Path) -> None:
    mention = replace(MISSED, notes=CALL.notes, transfers=(CallTransfer(START, None, "+436641234567", "blind"),))
    path = fill(config, CALL, mention)
    with closing(sqlite3.connect(path)) as file, file:
        job = "('a', 'a', ?, 'webhook', '+436641234567', 0, 0, 0, 'waiting', '', '')"
        for call in (CALL, mention):
            file.execute(
                "INSERT INTO outbox (target, lane, call_id, kind, body, made_at, due, tries, state, error, taken) "
                f"VALUES {job}",
                (call.id,),
            )
        columns = "number, call_id, kinds, call, since, state, error"
        file.execute(f"INSERT INTO spool ({columns}) VALUES (1, ?, '[]', '+436641234567', 0, 'aside', '')", (CALL.id,))
        kept = "'key:crm', 'click', 'd', 0, 202, '{}', '{\"from\": \"+436641234567\"}'"
        file.execute(f"INSERT INTO kept_answers (who, name, digest, at, status, headers, body) VALUES ({kept})")
        for number, call in ((1, CALL.id), (2, "0197-c")):
            told = f"'cloud', 'e{number}', 'x', 0, '[\"call.started\", 0, \"inbound\", \"0664 1234567\", null]', 1"
            columns = "source, id, call, at, event, taken, call_id"
            file.execute(f"INSERT INTO reported_events ({columns}) VALUES ({told}, ?)", (call,))
    dry = run("forget", "--dry-run", "+436641234567", "--config", str(config))[1]
    assert "  calls     1 calls, 1 mentions in other calls\n" in dry
    code, out, _ = run("forget", "--wait", "0.1", "0664 1234567", "--config", str(config))
    assert (code, "  calls     1 calls, 1 mentions in other calls\n" in out) == (0, True)
    assert b"1234567" not in bytes_of(path)
    (left,) = [json.loads(line) for line in run("calls", "--json", "--config", str(config))[1].splitlines()]
    assert (left["id"], left["notes"][0]["text"]) == ("0197-b", "calls back on (forgotten)")


def test_a_moment_is_shown_as_the_clock_of_the_site(run: Run, config: Path) -> None:
    (config / "engine.yaml").write_text("timezone: America/New_York\n")
    fill(config, CALL)
    assert datetime(2026, 11, 18, 4, 30, 15).strftime("%Y-%m-%d %H:%M:%S") in run("calls", "--config", str(config))[1]
