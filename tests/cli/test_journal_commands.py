"""explain, calls and forget: what they print, and their exit codes."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from routing_engine.cli.journal import read_moment
from routing_engine.core.model import Destination, TrailStep
from routing_engine.lookup.cache import Cache, CacheEntry
from routing_engine.lookup.cache_file import CacheFile
from routing_engine.settings.paths import state_folder
from routing_engine.storage.forget_note import note_path, take_note
from tests.cli.conftest import Run
from tests.journal.calls import AT, KEY, abandoned, bytes_of, kept_ids, opened, routed, settings, write

pytestmark = pytest.mark.io

VIENNA = ZoneInfo("Europe/Vienna")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=VIENNA)
ENGINE = "region: AT\ntimezone: Europe/Vienna\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration folder with a journal beside it, and a route that is broken just now."""
    folder = tmp_path / "config"
    (folder / "routes").mkdir(parents=True)
    (folder / "routes" / "support.yaml").write_text("this: is no route\n")
    (folder / "engine.yaml").write_text(ENGINE)
    return folder


def fill(config: Path, *events: Any, mode: Any = "masked") -> Path:
    path = config / "state" / "calls.db"
    if mode != "masked":
        key = "\n  key: '${JOURNAL_KEY}'" if mode == "hashed" else ""
        (config / "engine.yaml").write_text(f"{ENGINE}journal:\n  numbers: {mode}{key}\n")
    asyncio.run(write(path, *events, kept=settings(mode)))
    return path


# ------------------------------------------------------------------------------------------------ explain

EXPLAINED = """\
queue vip, priority 10, for 20 s, by rule 'silver' of crm (matched)
  call      1795198986.2, 2026-11-18 10:30:15+0100
  caller    ...567 dialled 217, language de
  route     support, revision 9bc58236f2cc
  then      external ...877, if not taken
  then      voicemail 217, if not taken
  source    crm
  record    0012345678 https://crm.example/7?q=...567
  fields    tier, phone
  played    greeting, digits
  set       caller_name
  took      2190 ms; 83 ms of it waiting for look-ups; at the longest 41 ms of silence

Trail
  instruction greeting: played  (2100 ms)
  source crm: 1 record  (83 ms)
  rule gold: call.caller is '...567': it is not '...888'
  rule silver: matched
"""


@pytest.mark.parametrize("mode", ["masked", "plain"])
def test_explain_tells_a_call_as_a_person_would(run: Run, config: Path, mode: str) -> None:
    fill(config, routed(), mode=mode)
    assert run("explain", "1795198986.2", "--config", str(config)) == (0, EXPLAINED, "")


@pytest.mark.parametrize("mode", ["masked", "hashed", "plain"])
@pytest.mark.parametrize("command", [("calls",), ("explain", "1795198986.2")])
def test_plain_says_what_it_cannot_show(
    run: Run, config: Path, command: tuple[str, ...], mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNAL_KEY", KEY)
    fill(config, routed(), mode=mode)
    _, _, err = run(*command, "--plain", "--config", str(config))
    assert ("numbers stay masked where they were kept so" in err) is (mode != "plain")


def test_explain_tells_why_a_call_was_abandoned_or_decided_by_the_engine(run: Run, config: Path) -> None:
    fallback = routed(call_id="f", failed=True, destination=None, reason="error", rule="", record=None, chain=())
    fill(config, abandoned("a"), fallback)
    told = {call_id: run("explain", call_id, "--config", str(config))[1].splitlines()[0] for call_id in "af"}
    assert told == {
        "a": "abandoned: the caller hung up",
        "f": "nowhere (error); the engine decided, not the route",
    }


def test_explain_tells_every_call_of_an_id_the_first_first(run: Run, config: Path) -> None:
    later = routed(route="sales", at=datetime(2026, 11, 18, 11, 0, tzinfo=VIENNA))
    fill(config, later, routed())
    out = run("explain", "1795198986.2", "--json", "--config", str(config))[1]
    assert [call["route"] for call in json.loads(out)] == ["support", "sales"]


def test_explain_does_not_say_played_of_a_sound_that_nobody_heard(run: Run, config: Path) -> None:
    fill(config, routed(play=("one", "two"), trail=(TrailStep("play one two", "could not be played: two"),)))
    out = run("explain", "1795198986.2", "--config", str(config))[1]
    assert "  played    one, two (not heard: Asterisk has no such sound)" in out


def test_explain_as_json_has_the_names_of_run_test(run: Run, config: Path) -> None:
    fill(config, routed())
    (call,) = json.loads(run("explain", "1795198986.2", "--json", "--config", str(config))[1])
    assert call["destination"] == {"kind": "queue", "target": "vip", "priority": 10, "ring_s": 20}
    assert call["trail"][1] == {"step": "source crm", "outcome": "1 record", "took_ms": 83.2}
    assert (call["at"], call["caller"], call["ended"]) == ("2026-11-18T10:30:15.250+01:00", "...567", "routed")


def test_plain_shows_numbers_as_they_are_kept(run: Run, config: Path) -> None:
    fill(config, routed(), mode="plain")
    assert "+436641234567 dialled 217" in run("explain", "1795198986.2", "--plain", "--config", str(config))[1]


def test_a_call_that_is_not_there_is_told_with_what_to_do(run: Run, config: Path) -> None:
    fill(config, routed())
    code, out, err = run("explain", "nobody", "--config", str(config))
    assert (code, out) == (1, "")
    assert err == "the journal has no such call; 'routing-engine calls --since 1h' lists the last ones\n"


async def test_explain_works_while_the_service_writes(config: Path) -> None:
    async with opened(config / "state" / "calls.db") as journal:
        journal.record(routed())
        assert await journal.flush()
        words = [sys.executable, "-m", "routing_engine.cli", "--config", str(config), "explain", "1795198986.2"]
        found = await asyncio.to_thread(subprocess.run, words, capture_output=True, text=True, check=True)
    assert found.stdout == EXPLAINED


def test_no_text_of_the_journal_reaches_the_terminal_as_a_command(run: Run, config: Path) -> None:
    path = fill(config, routed(trail=(TrailStep("x", "y"),)))
    with closing(sqlite3.connect(path)) as file, file:  # by somebody else: we write no such text
        file.execute(
            "UPDATE decisions SET called = ?, trail = ?", ("\x1b[2J", '[["\\u001b]0;x\\u0007","\\u009b31m",null]]')
        )
    for command in (("explain", "1795198986.2"), ("calls",), ("calls", "--json")):
        assert run(*command, "--config", str(config))[1].replace("\n", "").isprintable()


# -------------------------------------------------------------------------------------------------- calls

LISTED = """\
arrived              call          caller  dialled  route    reason     took     went to
2026-11-18 10:30:16  b             ...199  217      sales    no_rule    2190 ms  ivr main
2026-11-18 10:30:15  1795198986.2  ...567  217      support  matched    2190 ms  queue vip, priority 10, for 20 s, \
by rule 'silver'
2026-11-18 10:30:15  1795198986.9  ...567  217      support  abandoned  800 ms   abandoned
"""


def three(config: Path) -> Path:
    ivr, at = Destination("ivr", "main"), AT.replace(second=16)
    bob = routed("+43 1 5550199", "b", route="sales", reason="no_rule", rule="", destination=ivr, at=at)
    return fill(config, abandoned(), routed(), bob)


def test_calls_lists_one_a_line_the_newest_first(run: Run, config: Path) -> None:
    three(config)
    assert run("calls", "--config", str(config)) == (0, LISTED, "")


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ("--route sales", ["b"]),
        ("--reason matched", ["1795198986.2"]),
        ("--reason abandoned", ["1795198986.9"]),
        ("--rule silver", ["1795198986.2"]),
        ("--caller 01/5550199", ["b"]),
        ("--since 2026-11-18T10:30:16", ["b"]),
        ("--until 2026-11-18T10:30:16", ["1795198986.2", "1795198986.9"]),
        ("--since 2026-11-18 --until 2026-11-18", ["b", "1795198986.2", "1795198986.9"]),
        ("--until 2026-11-17", []),
        ("--limit 1", ["b"]),
    ],
)
def test_what_narrows_the_list(run: Run, config: Path, arguments: str, ids: list[str]) -> None:
    three(config)
    code, out, _ = run("calls", "--json", *arguments.split(), "--config", str(config))
    assert (code, [json.loads(line)["call_id"] for line in out.splitlines()]) == (0, ids)


def test_the_list_says_when_there_is_more_and_when_masked_numbers_may_be_others(run: Run, config: Path) -> None:
    three(config)
    assert "--limit shows more" in run("calls", "--limit", "2", "--config", str(config))[2]
    assert "may be of other callers" in run("calls", "--caller", "+436641234567", "--config", str(config))[2]
    assert run("calls", "--route", "nix", "--config", str(config)) == (0, "", "the journal has no such call\n")


@pytest.mark.parametrize(
    "arguments", ["--since yesterday", "--until 25:00", "--caller abc", "--limit 0", "--reason bad", "--limit x"]
)
def test_misuse_gives_2(run: Run, config: Path, arguments: str) -> None:
    three(config)
    assert run("calls", *arguments.split(), "--config", str(config))[0] == 2


@pytest.mark.parametrize(
    ("text", "end", "moment"),
    [
        ("2h", False, NOW - timedelta(hours=2)),
        ("90s", False, NOW - timedelta(seconds=90)),
        ("1w", False, datetime(2026, 11, 13, 12, 0, tzinfo=VIENNA)),
        ("08:15", False, datetime(2026, 11, 20, 8, 15, tzinfo=VIENNA)),
        ("2026-11-19", False, datetime(2026, 11, 19, tzinfo=VIENNA)),
        ("2026-11-19", True, datetime(2026, 11, 20, tzinfo=VIENNA)),
        ("2026-11-19T10:00", True, datetime(2026, 11, 19, 10, tzinfo=VIENNA)),
        ("2026-07-01T10:00", False, datetime(2026, 7, 1, 8, tzinfo=UTC)),
        ("2026-11-19T10:00+00:00", False, datetime(2026, 11, 19, 10, tzinfo=UTC)),
    ],
)
def test_moments_as_people_write_them(text: str, end: bool, moment: datetime) -> None:
    assert read_moment(text, NOW, VIENNA, end) == moment


@pytest.mark.parametrize("text", ["", "h", "2y", "999999w", "2026-13-01", "9999-12-31", "٢h"])
def test_what_is_no_moment_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time; write 2h"):
        read_moment(text, NOW, VIENNA, end=True)


# ------------------------------------------------------------------------------------------------- forget


def test_forget_removes_a_number_and_gives_a_receipt(run: Run, config: Path) -> None:
    path = fill(config, routed(), routed("+43 1 5550199", "b", trail=(), record=None), mode="plain")
    code, out, _ = run("forget", "--wait", "0.1", "0664 1234567", "--config", str(config))
    lines = out.splitlines()
    assert (code, lines[0], lines[2]) == (0, "...567 is forgotten", "  journal   1 calls, 0 mentions in other calls")
    assert lines[1].startswith("  receipt   ")
    assert (kept_ids(path), b"1234567" in bytes_of(path)) == (["b"], False)


def test_a_hub_says_which_edges_have_the_number_too(run: Run, config: Path) -> None:
    fill(config, routed(), mode="plain")
    (config / "pbxs").mkdir()
    (config / "pbxs" / "main.yaml").write_text("edge: vienna\nami: [broken\n")
    (config / "pbxs" / "site.yaml").write_text("edge: graz\nsecret: '${NOT_SET}'\n")
    _, out, _ = run("forget", "--wait", "0.1", "0664 1234567", "--config", str(config))
    assert [line.removeprefix("  elsewhere").strip() for line in out.splitlines()[-2:]] == [
        "whether an edge keeps the calls of 'main', too, is not known: its file cannot be read",
        "the edge 'graz' keeps the calls of 'site', too: call it there, with its folder",
    ]


def test_an_edge_says_which_hub_has_the_number_too(run: Run, config: Path) -> None:
    fill(config, routed(), mode="plain")
    with (config / "engine.yaml").open("a") as file:
        file.write("hub: {address: 'https://calls.example.com', key: '${EDGE_KEY}'}\n")
    _, out, _ = run("forget", "--wait", "0.1", "0664 1234567", "--config", str(config))
    assert "the hub https://calls.example.com has what this edge told it" in out


def test_an_engine_that_listens_and_does_not_answer_has_not_forgotten(run: Run, config: Path) -> None:
    fill(config, routed(), mode="plain")
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        text = (config / "engine.yaml").read_text() if (config / "engine.yaml").exists() else ""
        listens = f"listeners: {{fastagi: 127.0.0.1:{frozen.getsockname()[1]}}}\n"
        (config / "engine.yaml").write_text(text + listens)
        code, out, _ = run("forget", "--wait", "0.1", "0664 1234567", "--config", str(config))
    assert (code, out.splitlines()[0]) == (1, "...567 is not wholly forgotten")
    assert take_note(note_path(state_folder(config))) == "+436641234567"


def test_where_no_engine_runs_the_number_does_not_stay_in_a_note(run: Run, config: Path) -> None:
    fill(config, routed(), mode="plain")
    assert run("forget", "--wait", "0.1", "0664 1234567", "--config", str(config))[0] == 0
    assert not note_path(state_folder(config)).exists()


def listen(config: Path, port: int) -> None:
    with (config / "engine.yaml").open("a") as file:
        file.write(f"listeners: {{fastagi: 127.0.0.1:{port}}}\n")


def test_a_receipt_says_which_engine_was_not_reached(run: Run, config: Path) -> None:
    fill(config, routed(), mode="plain")
    listen(config, 1)
    code, out, _ = run("forget", "--wait", "0", "0664 1234567", "--config", str(config))
    assert (code, "no engine was reached: nobody listens on 127.0.0.1:1" in out) == (0, True), out


def test_where_an_engine_would_listen_is_not_known_nothing_is_promised(run: Run, config: Path) -> None:
    fill(config, routed(), mode="plain")
    listen(config, 0)
    code, out, _ = run("forget", "--wait", "0", "0664 1234567", "--config", str(config))
    assert (code, out.splitlines()[0]) == (1, "...567 is not wholly forgotten")
    assert "whether an engine runs is not known: engine.yaml names no port" in out
    assert take_note(note_path(state_folder(config))) == "+436641234567"


def test_a_receipt_as_json_names_each_place(run: Run, config: Path) -> None:
    fill(config, routed(), mode="plain")
    receipt = json.loads(run("forget", "--wait", "0.1", "+436641234567", "--json", "--config", str(config))[1])
    assert (receipt["number"], receipt["dry_run"], len(receipt["id"])) == ("...567", False, 16)
    found = {"calls": 1, "mentions in other calls": 0}
    assert receipt["parts"][0] == {"place": "journal", "found": found, "complete": True, "notes": []}
    assert (receipt["parts"][1]["place"], receipt["parts"][1]["found"]) == ("cache", {"answers on disk": 0})


def test_a_dry_run_removes_nothing(run: Run, config: Path) -> None:
    path = fill(config, routed())
    code, out, _ = run("forget", "--wait", "0.1", "--dry-run", "+436641234567", "--config", str(config))
    assert (code, out.splitlines()[0], kept_ids(path)) == (0, "...567 would be forgotten", ["1795198986.2"])


def test_what_masked_numbers_cannot_tell_is_said(run: Run, config: Path) -> None:
    fill(config, routed())
    code, out, _ = run("forget", "--wait", "0.1", "+436641234567", "--config", str(config))
    assert (code, "1 of them show only ...567" in out) == (0, True)


def test_hashed_numbers_need_the_key(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fill(config, routed(), mode="hashed")
    code, _, err = run("forget", "--wait", "0.1", "+436641234567", "--config", str(config))
    assert (code, "the environment variable JOURNAL_KEY is not set" in err, len(kept_ids(path))) == (1, True, 1)
    assert run("explain", "1795198986.2", "--config", str(config))[0] == 0
    monkeypatch.setenv("JOURNAL_KEY", KEY)
    assert run("calls", "--caller", "+436641234567", "--json", "--config", str(config))[1].count("\n") == 1
    assert run("forget", "--wait", "0.1", "+436641234567", "--config", str(config))[0] == 0
    assert kept_ids(path) == []


def test_another_key_is_told_and_is_no_success(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(config, routed(), mode="hashed")
    monkeypatch.setenv("JOURNAL_KEY", KEY[::-1])
    code, out, _ = run("forget", "--wait", "0.1", "+436641234567", "--config", str(config))
    assert (code, out.splitlines()[0]) == (1, "...567 is not wholly forgotten")
    assert "1 calls are hashed with another key" in out


def test_what_is_no_number_is_misuse(run: Run, config: Path) -> None:
    assert run("forget", "--wait", "0.1", "Anna", "--config", str(config))[0] == 2


# ------------------------------------------------------------------------------------- where the journal lies


@pytest.mark.parametrize("command", [("explain", "x"), ("calls",), ("forget", "--wait", "0.1", "+436641234567")])
def test_no_journal_is_told_with_the_remedy(run: Run, config: Path, command: tuple[str, ...]) -> None:
    code, out, err = run(*command, "--config", str(config))
    assert (code, "there is no database yet: the service makes it ('routing-engine serve')" in out + err) == (1, True)


def test_no_journal_on_purpose_is_told(run: Run, config: Path) -> None:
    (config / "engine.yaml").write_text("journal: none\n")
    assert "engine.yaml says 'journal: none'" in run("calls", "--config", str(config))[2]
    code, out, _ = run("forget", "--wait", "0.1", "+436641234567", "--config", str(config))
    assert (code, out.splitlines()[2]) == (0, "  journal   none is kept")


def test_what_is_left_of_before_is_forgotten_although_none_is_kept_any_more(run: Run, config: Path) -> None:
    path = fill(config, routed())
    (config / "engine.yaml").write_text("journal: none\n")
    assert run("forget", "--wait", "0.1", "+436641234567", "--config", str(config))[0] == 0
    assert kept_ids(path) == []


def test_a_journal_may_be_named(run: Run, tmp_path: Path) -> None:
    asyncio.run(write(tmp_path / "copy.db", routed()))
    code, out, _ = run("calls", "--journal", str(tmp_path / "copy.db"), "--config", str(tmp_path / "nowhere"))
    assert (code, len(out.splitlines())) == (0, 2)


def test_a_broken_engine_yaml_is_told(run: Run, config: Path) -> None:
    (config / "engine.yaml").write_text("region: [")
    code, _, err = run("calls", "--config", str(config))
    assert (code, "this is not YAML" in err) == (1, True)


@pytest.mark.io
def test_no_command_loads_the_database_library_before_it_is_needed() -> None:
    code = "import sys, routing_engine.cli, routing_engine.journal.writer; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_forget_removes_the_answers_that_are_kept_on_disk(run: Run, config: Path) -> None:
    (config / "engine.yaml").write_text("cache: {path: state/cache.db}\n")
    fill(config, routed())

    async def fill_cache() -> None:
        disk = CacheFile(config / "state" / "cache.db")
        cache = Cache(10, disk.changed)
        await disk.open(cache)
        cache.put(("crm", "contact", "phone", "+436641234567", "+436641234567", "caller"), CacheEntry((), 1))
        await disk.close()

    asyncio.run(fill_cache())
    code, out, _ = run("forget", "--wait", "0.1", "+436641234567", "--config", str(config))
    assert (code, "1 answers on disk" in out) == (0, True)
    assert b"436641234567" not in (config / "state" / "cache.db").read_bytes()
