"""Files that nobody reads, circles of routes, open secrets, and remarks beside an example that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing_engine.cli import main
from routing_engine.config.lint.strays import strays
from routing_engine.config.load import configure

from .folders import PROVIDERS, ROUTE, snapshot, write

ENGINE = "listeners: {fastagi: 127.0.0.1:4573}\n"


def files_of(folder: Path) -> dict[str, str]:
    return {one.file: one.remedy for one in strays(folder)}


@pytest.mark.parametrize(
    ("name", "beside", "remedy", "better"),
    [
        ("engine.yml", "engine.yaml", "keep one of the two", ""),
        ("users.yml", "users.yaml", "keep one of the two", ""),
        ("engin.yaml", "engine.yml", "call it engine.yaml", ""),
        ("support.yaml", "engine.yaml", "put it into routes/ or integrations/, as support.yaml", "routes/support.yaml"),
        ("routes/b1.YAML", "engine.yaml", "call it routes/b1.yaml", "routes/b1.yaml"),
        ("routes/b1.yaml.txt", "engine.yaml", "call it routes/b1.yaml", "routes/b1.yaml"),
        ("routes/b1.json", "engine.yaml", "call it routes/b1.yaml", "routes/b1.yaml"),
        ("routes/more/b1.yaml", "engine.yaml", "move them up into routes/", "routes/b1.yaml"),
        ("lists/blocked.lst", "engine.yaml", "call it lists/blocked.txt", "lists/blocked.txt"),
        ("calendars/club.ical", "engine.yaml", "call it calendars/club.ics", "calendars/club.ics"),
        ("route/b1.yaml", "engine.yaml", "call it routes/", "routes/b1.yaml"),
        ("integration/crm.yaml", "engine.yaml", "call it integrations/", "integrations/crm.yaml"),
    ],
)
@pytest.mark.io
def test_a_file_that_nobody_reads_is_named(tmp_path: Path, name: str, beside: str, remedy: str, better: str) -> None:
    write(tmp_path, {beside: ENGINE, name: ROUTE})
    assert remedy in files_of(tmp_path).values()
    (tmp_path / name).unlink()
    write(tmp_path, {better: ROUTE} if better else {})
    assert remedy not in files_of(tmp_path).values()


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "routes/support.yaml~",
        "routes/old.yaml.bak",
        "routes/.hidden.yaml",
        "routes/b1.yml",
        "customers.csv",
    ],
)
@pytest.mark.io
def test_what_people_leave_in_a_folder_is_not_named(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"engine.yaml": ENGINE, name: ROUTE, "state/calls.db": "x", "tables/a.csv": "x"})
    assert files_of(tmp_path) == {}


def circles(**routes: str) -> list[str]:
    texts = {f"routes/{name}.yaml": text for name, text in routes.items()}
    found = configure(snapshot({"engine.yaml": ENGINE, **texts}), PROVIDERS).remarks
    return [f"{one.file}: {one.sentence}" for one in found if "circle" in one.sentence]


TO = "default: {{to: {{route: {}}}}}\n"
SHUT = "rules: [{when: {call.time: {after: '18:00'}}, to: {route: day}}]\n"


def test_routes_that_lead_in_a_circle_are_named() -> None:
    (found,) = circles(day=TO.format("night"), night=TO.format("day"))
    assert "circle: 'day' to 'night' to 'day'" in found
    assert circles(day=TO.format("day"))
    assert circles(day=TO.format("night"), night=SHUT + ROUTE)


def test_routes_that_no_call_goes_round_in_are_not_named() -> None:
    assert circles(day=TO.format("night"), night=ROUTE) == []
    morning = "rules: [{when: {call.time: {before: '12:00'}}, to: {route: night}}]\n"
    assert circles(day=morning + ROUTE, night=SHUT + ROUTE) == []


@pytest.mark.io
def test_an_example_that_fails_hides_no_remark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    route = f"{ROUTE}input: {{prompt: x}}\nexamples: [{{expect: {{to: {{queue: other}}}}}}]\n"
    write(tmp_path, {"engine.yaml": ENGINE, "routes/support.yaml": route})
    assert main(["--config", str(tmp_path), "check"]) == 1
    printed = capsys.readouterr().out
    assert "fails: the call should go to" in printed
    assert "routes/support.yaml:2: the input is asked for, but nothing uses it" in printed


@pytest.mark.parametrize(("mode", "open_to_all"), [(0o644, True), (0o640, False)])
@pytest.mark.io
def test_a_secret_that_everybody_can_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: int, open_to_all: bool
) -> None:
    crm = "provider: http\naddress: https://crm.example.com\nmodels: {contact: {}}\nauth: {bearer: {file: token}}\n"
    write(tmp_path, {"engine.yaml": ENGINE, "routes/support.yaml": ROUTE, "integrations/crm.yaml": crm, "token": "x"})
    (tmp_path / "token").chmod(mode)
    main(["--config", str(tmp_path), "check"])
    assert ("integrations/crm.yaml:4: everybody on this machine" in capsys.readouterr().out) is open_to_all
