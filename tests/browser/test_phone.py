"""The telephone in the page: a real Chromium registered at a real Asterisk, with sound in both directions."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import aiohttp
import pytest
import pytest_asyncio

from rig.asterisk import Asterisk
from rig.conf import MANAGER_USER, PATIENCE_S, RTP_TIMEOUT_S
from rig.sip import Call, Phone, sound
from routing_engine.calls.as_json import moment
from tests.wire import Wire

from .chromium import chromium
from .screen import Screen, logged_in, opened_for
from .standin import Json, StandIn, stand_in

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

MARIA, HZ = "+436641112223", 900.0
DIALPLAN = """
[from-trunk]
exten => 201,1,Dial(PJSIP/201-web,60)
same => n,Hangup()
"""
#: Remembers the connections that the page makes, to hear what comes in.
REMEMBER = """
window.lines = [];
const Real = RTCPeerConnection;
window.RTCPeerConnection = class extends Real { constructor(...all) { super(...all); lines.push(this); } };
"""
#: Wait until the strongest frequency of what the page hears is the one wanted.
HEARS = """async (hz) => {
  const track = lines.at(-1).getReceivers()[0].track;
  const context = new AudioContext(), analyser = context.createAnalyser();
  analyser.fftSize = 4096;
  context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const bins = new Float32Array(analyser.frequencyBinCount);
  for (;;) {
    analyser.getFloatFrequencyData(bins);
    const loudest = bins.indexOf(Math.max(...bins));
    if (bins[loudest] > -60 && Math.abs(loudest * context.sampleRate / analyser.fftSize - hz) < 30) return true;
    await new Promise(done => setTimeout(done, 50));
  }
}"""


@dataclass
class Line:
    """An Asterisk, somebody outside, and the engine's stand-in, which gives passwords for a session."""

    asterisk: Asterisk
    outside: Phone
    browser: Browser


class ArisPasswords:
    """Makes them as the engine does: over ARI, in Asterisk's memory only."""

    def __init__(self, asterisk: Asterisk, server: str = "", first_s: float = 3600) -> None:
        self._asterisk, self._ids, self._lasts_s = asterisk, count(1), first_s
        self._server = server or asterisk.wss_address
        self.given: list[Json] = []
        self.ended: list[str] = []

    async def give(self) -> Json:
        name, word = f"s{next(self._ids)}", "secret-for-one-session"
        digest = hashlib.md5(f"{name}:asterisk:{word}".encode(), usedforsecurity=False).hexdigest()
        fields = {"username": name, "auth_type": "digest", "password_digest": f"MD5:{digest}"}
        host, port = self._asterisk.http_address
        url = f"http://{host}:{port}/ari/asterisk/config/dynamic/res_pjsip/auth/201-web"
        body = {"fields": [{"attribute": key, "value": value} for key, value in fields.items()]}
        headers = {"Authorization": aiohttp.encode_basic_auth(MANAGER_USER, self._asterisk.secret)}
        async with aiohttp.ClientSession(headers=headers) as session, session.put(url, json=body) as answer:
            answer.raise_for_status()
        found = {
            **{"id": name, "username": name, "password": word, "realm": "asterisk", "uri": "sip:201-web@127.0.0.1"},
            **{"server": self._server, "expires_at": moment(time.time() + self._lasts_s)},
        }
        self._lasts_s = 3600
        self.given.append(found)
        return found

    async def end(self, name: str) -> Json:
        self.ended.append(name)
        return {}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def line() -> AsyncIterator[Line]:
    async with (
        Asterisk(DIALPLAN, phones=(), web_phones=("201-web",)) as asterisk,
        Phone.open() as outside,
        chromium("--ignore-certificate-errors") as browser,
    ):
        yield Line(asterisk, outside, browser)


@asynccontextmanager
async def switched_on(line: Line, server: str = "", first_s: float = 3600) -> AsyncIterator[Screen]:
    """Anna's page, with its telephone ready. The first password lasts so long."""
    async with stand_in([server or line.asterisk.wss_address]) as api:
        api.phone_in_page, api.passwords = True, ArisPasswords(line.asterisk, server, first_s)
        async with logged_in(line.browser, api, "anna", permissions=["microphone"]) as anna:
            await anna.page.add_init_script(REMEMBER)
            await anna.page.reload()
            await anna.page.get_by_role("link", name="Settings").click()
            await anna.button("Switch on", anna.page.locator(".setting", has_text="Telephone in this page"))
            await anna.shows("Telephone in this page: Ready")
            yield anna


async def rings(line: Line, anna: Screen) -> Call:
    call = await line.outside.dial(line.asterisk.sip_address, "201", caller=MARIA)
    await anna.shows(f"{MARIA} is calling")
    return call


async def test_a_call_rings_in_the_page_and_both_hear_each_other(line: Line) -> None:
    async with switched_on(line) as anna:
        call = await rings(line, anna)
        await anna.button("Answer")
        await call.answered()
        call.speak(HZ)
        async with asyncio.timeout(PATIENCE_S):
            assert await anna.page.evaluate(HEARS, HZ)
        await call.hears(sound(0.05))
        await anna.button("Hang up")
        await call.ended()
        await anna.shows("Telephone in this page: Ready")
        assert anna.watched.faults == []


async def test_a_call_is_declined_in_the_page(line: Line) -> None:
    async with switched_on(line) as anna:
        call = await rings(line, anna)
        await anna.button("Decline")
        await call.ended()


async def test_a_caller_who_gives_up_silences_the_page(line: Line) -> None:
    async with switched_on(line) as anna:
        call = await rings(line, anna)
        await call.hang_up()
        await anna.page.get_by_role("button", name="Answer").wait_for(state="detached")


async def test_one_tab_has_the_telephone_and_every_tab_its_keys(line: Line) -> None:
    async with switched_on(line) as anna:
        second = await anna.another_tab()
        await second.shows("Runs in another tab")
        call = await rings(line, second)
        await second.button("Answer")
        await call.answered()
        await anna.page.close()
        await call.ended()
        await second.page.get_by_text("Runs in another tab").wait_for(state="detached")
        await second.shows("Telephone in this page: Ready")


async def test_a_password_that_the_telephone_system_has_forgotten_is_made_anew(line: Line) -> None:
    async with switched_on(line) as anna:
        await line.asterisk.kill()
        await anna.shows("Not connected: trying again")
        await line.asterisk.start_again()
        await anna.shows("Telephone in this page: Ready")
        call = await rings(line, anna)
        await call.hang_up()


async def contact(asterisk: Asterisk) -> str:
    """Return where Asterisk finds the telephone in the page: another place after each log-in of it."""
    found = re.search(r"201-web/sip:(\w+)@", await asterisk.command("pjsip show contacts"))
    return found[1] if found else ""


async def test_a_password_is_renewed_before_it_ends(line: Line) -> None:
    async with switched_on(line, first_s=3) as anna:
        passwords = anna.api.passwords
        assert isinstance(passwords, ArisPasswords)
        first = await contact(line.asterisk)
        await anna.until(lambda: len(passwords.given) > 1)
        await elsewhere(line, anna, first)
        call = await rings(line, anna)
        await call.hang_up()


async def test_a_call_goes_on_when_the_network_was_away(line: Line) -> None:
    async with (
        Wire(lambda: line.asterisk.ports.https).open() as wire,
        switched_on(line, f"wss://127.0.0.1:{wire.port}/ws") as anna,
    ):
        call = await rings(line, anna)
        await anna.button("Answer")
        await call.answered()
        wire.down = True
        wire.cut()
        await anna.shows("Not connected: trying again")
        wire.down = False
        await anna.shows("Telephone in this page: Ready")
        call.speak(HZ)
        async with asyncio.timeout(PATIENCE_S):
            assert await anna.page.evaluate(HEARS, HZ)
        await anna.button("Hang up")
        await call.ended()


async def test_on_another_network_the_telephone_registers_anew_and_rings(line: Line) -> None:
    async with switched_on(line) as anna:
        passwords = anna.api.passwords
        assert isinstance(passwords, ArisPasswords)
        first = await contact(line.asterisk)
        await anna.page.context.set_offline(True)
        await anna.page.context.set_offline(False)
        await anna.until(lambda: len(passwords.given) > 1)
        await elsewhere(line, anna, first)
        call = await rings(line, anna)
        await call.hang_up()


async def test_a_change_of_the_network_in_a_call_ends_nothing(line: Line) -> None:
    async with switched_on(line) as anna:
        call = await rings(line, anna)
        await anna.button("Answer")
        await call.answered()
        await anna.page.context.set_offline(True)
        await anna.page.context.set_offline(False)
        await anna.shows("Telephone in this page: Ready")
        call.speak(HZ)
        async with asyncio.timeout(PATIENCE_S):
            assert await anna.page.evaluate(HEARS, HZ)
        await anna.button("Hang up")
        await call.ended()


async def test_after_a_tab_was_frozen_the_telephone_registers_anew_and_rings(line: Line) -> None:
    async with switched_on(line) as anna:
        first = await contact(line.asterisk)
        # What a browser says that thaws a page. Chromium without a window thaws none, whatever it is told.
        await anna.page.evaluate("document.dispatchEvent(new Event('resume'))")
        await elsewhere(line, anna, first)
        call = await rings(line, anna)
        await call.hang_up()


async def test_a_computer_that_has_slept_is_known_by_its_clock(line: Line) -> None:
    async with switched_on(line) as anna:
        first = await contact(line.asterisk)
        await anna.page.evaluate("() => { const real = Date.now; Date.now = () => real() + 600_000 }")
        await elsewhere(line, anna, first)
        call = await rings(line, anna)
        await call.hang_up()


async def elsewhere(line: Line, anna: Screen, first: str) -> None:
    """Wait until Asterisk finds the telephone at another place than `first`."""
    async with asyncio.timeout(PATIENCE_S):
        while await contact(line.asterisk) in ("", first):
            await anna.page.wait_for_timeout(50)


async def test_who_switches_it_off_gives_the_password_back(line: Line) -> None:
    async with switched_on(line) as anna:
        passwords = anna.api.passwords
        assert isinstance(passwords, ArisPasswords)
        await anna.button("Switch off")
        await anna.until(lambda: [one["id"] for one in passwords.given] == passwords.ended)


@pytest.mark.parametrize("holds", [False, True], ids=["talks", "holds"])
async def test_a_browser_that_dies_in_a_call_frees_the_line(line: Line, holds: bool) -> None:
    before = len(line.asterisk.log_text())
    async with chromium("--ignore-certificate-errors") as doomed:
        dies = Line(line.asterisk, line.outside, doomed)
        async with stand_in([line.asterisk.wss_address]) as api:
            api.phone_in_page, api.passwords = True, ArisPasswords(line.asterisk)
            anna = await dying(dies, api)
            call = await rings(dies, anna)
            await anna.button("Answer")
            await call.answered()
            await call.hears(sound(0.05))
            if holds:
                await anna.page.locator("section.phone").get_by_role("button", name="Hold").click()
                await anna.page.locator("section.phone").get_by_role("button", name="Resume").wait_for()
            devtools = await doomed.new_browser_cdp_session()
            with_crash = asyncio.ensure_future(devtools.send("Browser.crash"))
            await call.ended(PATIENCE_S)
            await asyncio.gather(with_crash, return_exceptions=True)
    # By Asterisk's own clock: so long it had heard nothing when it freed the line. 15 s are allowed.
    lack = r"'PJSIP/201-web-\w+' for lack of audio RTP activity in (\d+) seconds"
    silent = re.findall(lack, line.asterisk.log_text()[before:])
    assert [RTP_TIMEOUT_S <= int(seconds) <= 15 for seconds in silent] == [True]
    assert "201-web" not in await line.asterisk.command("core show channels concise")


async def dying(line: Line, api: StandIn) -> Screen:
    """Return the page of somebody whose browser will be killed."""
    anna = await opened_for(line.browser, api, "anna", permissions=["microphone"])
    await anna.page.get_by_role("link", name="Settings").click()
    await anna.button("Switch on", anna.page.locator(".setting", has_text="Telephone in this page"))
    await anna.shows("Telephone in this page: Ready")
    return anna
