"""`routing-engine integrations`: the list, the check with who must act, and whole log-ins as processes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest

from routing_engine.cli.integrations import oauth_of
from routing_engine.core.phone import read_number
from routing_engine.core.ports import Query
from routing_engine.engine import open_provider, open_store
from routing_engine.providers.oauth.refresh import made_for
from routing_engine.providers.oauth.tokens import StoredToken, TokenStore, make_key
from tests.cli.conftest import Run, as_json
from tests.fakes import FOREVER_S
from tests.providers.oauth.vendor import CLIENT, SECRET, Vendor

pytestmark = pytest.mark.io

DESCRIPTION = """\
title: Acme
address: https://api.acme.example
auth:
  key: {needs: {token: secret}, headers: {X-Key: '{auth.token}'}}
  oauth2:
    authorize_url: https://acme.example/authorize?theme=dark
    token_url: https://acme.example/token
    scopes: [contacts.read, offline]
    authorize: {prompt: consent}
models:
  contact: {fields: {id: id, phone: phone}, numbers: [phone]}
find_by_phone:
  - {get: /api/contacts, query: {phone: '{number.e164}'}}
check: {get: /api/me}
"""


@dataclass
class Site:
    """A configuration with the integration `acme`, whose vendor runs beside the test."""

    folder: Path
    vendor: Vendor
    port: int
    command: Run

    def write(self, vendor: str, more: str = "") -> None:
        for name, text in {
            "providers/acme.yaml": DESCRIPTION,
            "integrations/acme.yaml": f"provider: acme\naddress: {vendor}\nauth:\n  oauth2:\n"
            f"    authorize_url: {vendor}/authorize\n    token_url: {vendor}/token\n"
            f"    client_id: {CLIENT}\n    client_secret: '${{ACME_SECRET}}'\n{more}",
        }.items():
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text(text)

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        hidden = {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "ROUTING_ENGINE_KEY"}
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "routing_engine.cli", "--config", str(self.folder), "integrations", *words),
            env={**environment, "ACME_SECRET": SECRET},
            **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE),
        )

    async def run(self, *words: str) -> tuple[int, str, str]:
        """Run a command that needs nobody in this process, beside the vendor."""
        return await asyncio.to_thread(self.command, "integrations", *words, "--config", str(self.folder))

    def logged_in(self, ends_at: float) -> None:
        (acme,) = open_store(self.folder).load().integrations.values()
        oauth = oauth_of(acme)
        assert oauth is not None
        make_key(self.folder, "")
        kept = StoredToken("access-0", "refresh-0", {}, 0, ends_at, made_for(oauth))
        TokenStore("acme", self.folder).write(kept)


@pytest.fixture
async def site(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setenv("ACME_SECRET", SECRET)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    vendor = Vendor()
    async with vendor.serving():
        found = Site(tmp_path, vendor, port, run)
        found.write(vendor.address)
        yield found


async def page_of(process: asyncio.subprocess.Process) -> str:
    """The address of the vendor's page, as a person reads it on the terminal."""
    assert process.stdout is not None
    while line := (await asyncio.wait_for(process.stdout.readline(), FOREVER_S)).decode():
        if line.startswith("http"):
            break
    waiting = (await process.stdout.readline(), await process.stdout.readline())[1].decode()
    assert waiting.startswith(("Waiting", "Log in there"))
    return line.strip()


async def browse(address: str) -> tuple[int, str, str]:
    """Open an address as a browser does; give the status, the text and the address one landed on."""
    async with aiohttp.ClientSession() as browser, browser.get(address) as page:
        return page.status, await page.text(), str(page.url)


async def end(process: asyncio.subprocess.Process, typed: str = "") -> tuple[int | None, str, str]:
    out, err = await asyncio.wait_for(process.communicate(typed.encode()), FOREVER_S)
    return process.returncode, out.decode(), err.decode()


async def test_from_the_log_in_by_browser_to_a_green_check(site: Site) -> None:
    assert (await site.run())[1].endswith("not logged in: routing-engine integrations login acme\n")
    process = await site.start("login", "acme", "--port", str(site.port))
    status, text, landed = await browse(await page_of(process))
    assert (status, "You are logged in" in text) == (200, True)
    assert landed.startswith(f"http://localhost:{site.port}/callback?state=")
    code, out, err = await end(process)
    assert (code, err) == (0, "")
    assert "logged in to acme" in out
    assert f"A new key for the tokens is in {site.folder}/state/key" in out
    code, out, _ = await site.run("check", "acme")
    assert (code, out.splitlines()[0]) == (0, "acme: fine")
    assert set(site.vendor.api) == {"Bearer access-1"}
    assert (await site.run())[1].endswith("oauth2 authorization_code  logged in, renews itself\n")


async def test_the_vendor_is_asked_as_its_description_says(site: Site) -> None:
    process = await site.start("login", "acme", "--port", str(site.port))
    await browse(await page_of(process))
    await end(process)
    (asked,) = site.vendor.authorizations
    assert (asked["scope"], asked["prompt"], asked["code_challenge_method"]) == (
        "contacts.read offline",
        "consent",
        "S256",
    )
    assert len(asked["state"]) > 40
    (form,) = site.vendor.asked
    assert len(form["code_verifier"]) > 43
    assert form["redirect_uri"] == asked["redirect_uri"] == f"http://localhost:{site.port}/callback"


async def test_a_hostile_answer_changes_nothing_and_the_log_in_goes_on(site: Site) -> None:
    process = await site.start("login", "acme", "--port", str(site.port))
    page = await page_of(process)
    here = f"http://localhost:{site.port}"
    hostile = urlencode({"code": "code-of-another", "state": "<script>alert(1)</script>"})
    for address in (f"{here}/callback?{hostile}", f"{here}/callback?error=access_denied", f"{here}/callback"):
        status, text, _ = await browse(address)
        assert (status, "This is another log-in" in text, "<script>" in text) == (400, True, False)
    assert (await browse(f"{here}/other?{hostile}"))[0] == 404
    assert site.vendor.asked == []
    assert (await browse(page))[0] == 200
    code, _, err = await end(process)
    assert (code, err.count("does not belong to this log-in")) == (0, 3)


async def test_a_no_on_the_vendors_page_is_a_sentence_that_no_browser_or_terminal_obeys(site: Site) -> None:
    site.vendor.denies = True
    process = await site.start("login", "acme", "--port", str(site.port))
    status, text, _ = await browse(await page_of(process))
    assert (status, "<script>" in text, "&lt;script&gt;" in text) == (400, False, True)
    code, _, err = await end(process)
    assert (code, "\x1b" in err) == (1, False)
    assert "not logged in: acme: somebody said no on the vendor's page, or may not allow this app" in err
    assert not (site.folder / "state" / "tokens" / "acme").exists()


@pytest.mark.parametrize("what", ["the address", "the query", "the code"])
async def test_without_a_browser_here_what_one_landed_on_is_pasted(site: Site, what: str) -> None:
    process = await site.start("login", "acme", "--paste")
    page = await page_of(process)
    async with aiohttp.ClientSession() as browser, browser.get(page, allow_redirects=False) as answer:
        landed = answer.headers["Location"]
    query = urlsplit(landed).query
    pasted = {"the address": landed, "the query": query, "the code": parse_qs(query)["code"][0]}[what]
    code, out, _ = await end(process, f"http://localhost/?code=x&state=y\n{pasted}\n")
    assert (code, "That address belongs to another log-in" in out) == (0, True)
    assert (await site.run("check", "acme"))[0] == 0


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("a-code-of-last-week\n", "the code has expired"),
        ("https://acme.example/welcome\n", "there is no code in what was pasted"),
        ("", "nothing was pasted"),
    ],
)
async def test_a_paste_that_does_not_work_is_told(site: Site, typed: str, says: str) -> None:
    process = await site.start("login", "acme", "--paste")
    code, _, err = await end(process, typed)
    assert (code, says in err) == (1, True), err


async def test_ctrl_c_ends_a_log_in_at_once(site: Site) -> None:
    for words in (("--paste",), ("--port", str(site.port))):
        process = await site.start("login", "acme", *words)
        await page_of(process)
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), FOREVER_S) == 130
        assert process.stderr is not None
        assert b"Traceback" not in await process.stderr.read()


async def test_nobody_comes_back(site: Site) -> None:
    process = await site.start("login", "acme", "--port", str(site.port), "--wait", "0.1")
    code, _, err = await end(process)
    assert (code, "nobody came back within 0.1 seconds" in err) == (1, True)


async def test_a_port_in_use_is_told_with_what_to_do(site: Site) -> None:
    with socket.create_server(("127.0.0.1", site.port)):
        code, _, err = await site.run("login", "acme", "--port", str(site.port))
    assert (code, "--paste" in err) == (1, True)


async def test_a_browser_is_opened_where_there_is_a_screen(site: Site, tmp_path: Path) -> None:
    opened, script = tmp_path / "opened", tmp_path / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    script.chmod(0o755)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "routing_engine.cli", "--config", str(site.folder)),
        *("integrations", "login", "acme", "--port", str(site.port), "--wait", "20"),
        env={**os.environ, "ACME_SECRET": SECRET, "BROWSER": str(script)},
        **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE),
    )
    page = await page_of(process)
    assert (await browse(page))[0] == 200
    assert (await end(process))[0] == 0
    assert opened.read_text().strip() == page


# ------------------------------------------------------------------------------------------------- in use


async def test_eight_look_ups_that_get_a_401_renew_once_and_all_are_answered(site: Site) -> None:
    site.logged_in(ends_at=2_000_000_000)
    site.vendor.good, site.vendor.count = {"refresh-0"}, 5  # the vendor has taken access-0 back
    configuration = open_store(site.folder).load()
    provider = open_provider(configuration.integrations["acme"], configuration.settings)
    number = read_number("+12025550143", "")
    assert number is not None
    query = Query("contact", "", number.e164, True, number)
    found = await asyncio.gather(*(provider.find(query) for _ in range(8)))
    await provider.close()
    assert [list(records) for records in found] == [[]] * 8
    assert [form["refresh_token"] for form in site.vendor.asked] == ["refresh-0"]
    assert site.vendor.api.count("Bearer access-6") == 8


# ------------------------------------------------------------------------------------------------- check


@pytest.mark.parametrize(
    ("change", "who", "says"),
    [
        ("log out", "administrator", "nobody has logged in yet; log in again: routing-engine integrations login acme"),
        ("scope", "vendor", "vendor's administrator"),
        ("server", "vendor", "status 500"),
        ("throttle", "nobody", "status 429"),
        ("html", "developer", "without an access token"),
    ],
)
async def test_a_check_says_who_must_act(site: Site, change: str, who: str, says: str) -> None:
    if change != "log out":
        site.logged_in(ends_at=1.0)
        answers = {"scope": (400, b'{"error": "invalid_scope"}'), "server": (500, b""), "throttle": (429, b"")}
        site.vendor.status, site.vendor.body = answers.get(change, (200, b"<html>"))
    code, out, _ = await site.run("check", "acme", "--json")
    found = as_json(out)
    assert (code, found["fine"], found["who"]) == (1, False, who)
    assert says in found["sentence"]
    assert SECRET not in out


def test_a_table_in_a_file_is_checked_by_a_look_up(run: Run, config: Path) -> None:
    code, out, _ = run("integrations", "check", "customers", "--config", str(config), "--json")
    assert code == 0
    assert re.match(r"it answered a look-up in 'contact' by a number that nobody has", as_json(out)["sentence"])


def test_what_is_configured(run: Run, config: Path) -> None:
    (config / "integrations" / "erp.yaml").write_text(
        "provider: http\naddress: http://127.0.0.1:9/\nauth: {headers: {X-Site: a}}\nmodels: {contact: {}, lead: {}}\n"
    )
    _, out, _ = run("integrations", "--config", str(config), "--json")
    found = {one["name"]: one for one in as_json(out)["integrations"]}
    assert found["erp"] == {
        "name": "erp",
        "provider": "http",
        "models": ["contact", "lead"],
        "auth": "headers",
        "mirror": False,
        "login": None,
    }
    assert found["customers"]["auth"] == "none"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("check", "custmers"), 2, "there is no integration 'custmers'; did you mean 'customers'?"),
        (("login", "customers"), 2, "'customers' has no log-in: its 'auth' is none"),
    ],
)
def test_misuse_is_told(run: Run, config: Path, words: tuple[str, ...], code: int, says: str) -> None:
    got, _, err = run("integrations", *words, "--config", str(config))
    assert (got, says in err) == (code, True), err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, "logged in, renews itself"),
        ({"refresh_token": ""}, "logged in until 2033-05-1"),
        ({"refresh_token": "", "expires_at": None}, "logged in until the system refuses it, then: routing-engine"),
        ({"refused": "invalid_grant"}, "no longer logged in: routing-engine integrations login acme"),
    ],
)
async def test_the_list_tells_who_must_log_in_without_asking_anybody(site: Site, change: Any, words: str) -> None:
    site.logged_in(ends_at=2_000_000_000)
    store = TokenStore("acme", site.folder)
    kept = store.read()
    assert kept is not None
    store.write(replace(kept, **change))
    code, out, _ = await site.run()
    assert (code, words in out, site.vendor.asked) == (0, True, []), out


async def test_tokens_that_cannot_be_read_are_told_in_the_list(site: Site) -> None:
    (site.folder / "state" / "tokens").mkdir(parents=True)
    (site.folder / "state" / "tokens" / "acme").write_bytes(b"damaged")
    code, out, _ = await site.run()
    remedy = f"have no key; set ROUTING_ENGINE_KEY, or restore {site.folder}/state/key"
    assert (code, remedy in out) == (0, True)
