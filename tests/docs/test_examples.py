"""What the documentation shows works: configurations load, sessions print what is written, commands exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from yarl import URL

from demo.middleware import app
from routing_engine.cli import build_parser, main
from routing_engine.engine import open_store

from .pages import DOCS, ROOT, blocks, commands, files, name_of, pages, sessions

#: Remarks that a page may have, by page: it shows what they are about.
REMARKS: dict[str, list[str]] = {
    "docs/how-to/docker.md": ["there is no route"],
    "docs/how-to/log-in-to-a-crm.md": ["there is no route"],
    "docs/how-to/systemd.md": ["there is no route"],
    "docs/reference/destinations.md": ["there is no route"],
    "docs/reference/engine.md": ["there is no route"],
    "docs/reference/oauth.md": ["there is no route"],
    "docs/reference/routes.md": ["the rule 'the strike' is disabled"],
}
WITH_FILES = [page for page in (ROOT / "README.md", *pages()) if files(page)]
WITH_COMMANDS = [page for page in pages() if commands(page)]


@pytest.mark.parametrize("page", WITH_FILES, ids=name_of)
@pytest.mark.io
def test_every_configuration_on_a_page_loads_and_its_examples_hold(tmp_path, monkeypatch, page):
    for name, text in files(page).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for variable in re.findall(r"\$\{(\w+)\}", text):
            monkeypatch.setenv(variable, "secret")
    found = open_store(tmp_path).load()
    # A page shows parts of a folder: what they are for stands elsewhere.
    told = [one.sentence for one in found.remarks if not one.sentence.startswith(("no route asks", "no route looks"))]
    assert told == REMARKS.get(name_of(page), [])
    assert all(found.examples[route] for route in found.routes)


def test_every_how_to_about_a_route_shows_one():
    shown = {page.name for page in WITH_FILES}
    assert {"vip-queue.md", "account-owner.md", "own-middleware.md", "several-sources.md"} <= shown
    assert {"when-the-crm-is-down.md", "no-dead-air.md", "freepbx.md", "own-prompts.md"} <= shown
    assert {"pin-entry.md", "language-choice.md", "order-number.md"} <= shown


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name_of)
def test_every_command_on_a_page_exists(page):
    for command in commands(page):
        arguments = shlex.split(command, comments=True)[1:]
        if arguments != ["--version"]:
            build_parser().parse_args(arguments)


@pytest.mark.io
def test_the_tutorial_prints_what_it_says(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ROUTING_ENGINE_CONFIG", raising=False)
    ran = 0
    for command, expected in sessions(DOCS / "tutorial.md"):
        main(shlex.split(command)[1:])
        printed = capsys.readouterr().out
        assert missing(expected, printed) == [], f"{command} printed:\n{printed}"
        ran += 1
    assert ran >= 5


@pytest.mark.io
def test_the_readme_shows_what_run_test_prints(tmp_path, capsys):
    main(["init", str(tmp_path / "my-config")])
    capsys.readouterr()
    main(["--config", str(tmp_path / "my-config"), *"run-test support --caller +436641234567 --input 123456".split()])
    (shown,) = (block.text.splitlines() for block in blocks(ROOT / "README.md") if block.language == "text")
    assert missing([line for line in shown if line != "  ..."], capsys.readouterr().out) == []


def missing(expected: list[str], printed: str) -> list[str]:
    """The expected lines that are not there in this order; a printed line may go on (milliseconds, a revision)."""
    lines = iter(printed.splitlines())
    return [line for line in expected if not any(one.startswith(line) for one in lines)]


@pytest.mark.io
def test_the_tutorials_change_is_refused_as_it_says(tmp_path, capsys):
    main(["init", str(tmp_path / "config")])
    route = tmp_path / "config" / "routes" / "support.yaml"
    (change,) = (block.text for block in blocks(DOCS / "tutorial.md") if block.language == "yaml")
    route.write_text(re.sub(r" +to: \{queue: vip, .*\n", change, route.read_text()))
    assert main(["--config", str(tmp_path / "config"), "check"]) == 1
    said = next(block.text for block in blocks(DOCS / "tutorial.md") if "configuration.refused" in block.text)
    sentence = re.search(r"\['(.+)'\]|\[\"(.+)\"\]", re.sub(r"\s+", " ", said))
    assert sentence
    assert (sentence[1] or sentence[2]) in capsys.readouterr().out


@pytest.mark.io
async def test_curl_of_the_middleware_page_is_answered_as_it_says():
    ran = 0
    async with TestServer(app()) as server, ClientSession() as client:
        for command, expected in sessions(DOCS / "how-to" / "own-middleware.md"):
            address, data = read_curl(command)
            address = address.replace("http://127.0.0.1:8080", str(server.make_url("")).rstrip("/"))
            headers = {"Content-Type": "application/json"}
            async with client.request(
                "POST" if data else "GET", URL(address, encoded=True), data=data, headers=headers
            ) as answer:
                assert await answer.text() == "\n".join(expected)
            ran += 1
    assert ran == 4


def read_curl(command: str) -> tuple[str, str]:
    """The address and the body of a curl command."""
    words = shlex.split(command)[1:]
    data = words[words.index("-d") + 1] if "-d" in words else ""
    return next(word for word in words if word.startswith("http://")), data


def test_starter_files_that_the_tutorial_names_are_there():
    starter = Path(__file__).resolve().parents[2] / "routing_engine" / "starter"
    named = re.findall(r"`config/([\w./-]+)`", (DOCS / "tutorial.md").read_text())
    assert len(named) >= 5
    for name in named:
        assert (starter / "config" / name).exists() or (starter / name).exists(), name
