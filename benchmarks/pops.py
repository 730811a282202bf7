"""From the first ring to a painted pop, in real browsers. `python -m benchmarks.pops [AGENTS RING BROWSERS CALLS]`

A real Asterisk rings the phones of a group of agents at once. Some of them look at the page in a browser, the others
ask the engine for what their pages would (`listeners.py`): forty browsers on one machine would measure each other. The
clocks are one.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from statistics import median, quantiles
from typing import TYPE_CHECKING

import aiohttp

from routing_engine.storage.database import Database
from routing_engine.storage.people_table import set_password
from routing_engine.storage.place import DatabasePlace
from routing_engine.web.passwords import hash_of
from tests.browser.chromium import chromium
from tests.browser.office import PASSWORD, Office, office
from tests.browser.screen import log_in

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

#: What the contract allows (section 8), in ms.
KNOWN_MS, LOOKED_UP_MS, CLOSED_MS = 250, 700, 200
CRM_S = 0.3
_WATCH = """
window.painted = {}; window.gone = {};
window.until = (where, name) => new Promise(done => (function look() {
  if (window[where][name]) done(window[where][name]); else setTimeout(look, 50);
})());
const later = (where, name) => requestAnimationFrame(() => requestAnimationFrame(() => { where[name] = Date.now() }));
new MutationObserver(() => {
  const names = [...document.querySelectorAll('article h2')].map(one => one.textContent);
  for (const name of names) if (!(name in painted)) { painted[name] = 0; later(painted, name) }
  for (const name of Object.keys(painted))
    if (!names.includes(name) && !(name in gone)) { gone[name] = 0; later(gone, name) }
}).observe(document, {subtree: true, childList: true, characterData: true});
"""


@dataclass
class Figures:
    """How long each page took, in ms."""

    painted: list[float] = field(default_factory=list)
    closed: list[float] = field(default_factory=list)


async def main(agents: int, ring: int, browsers: int, calls: int) -> None:
    """Measure both, and print them."""
    print(f"{agents} agents, {ring} phones ring together, {browsers} of those have a browser here, {calls} calls; ms")
    print(f"{'':44}{'p50':>7}{'p95':>7}{'worst':>7}{'allowed':>9}")
    known = await _measured("known", agents, ring, browsers, calls, 0.0)
    _say("ring -> painted, with the route's record", known.painted, KNOWN_MS)
    _say("answer -> the others' pops closed", known.closed, CLOSED_MS)
    looked_up = await _measured("unknown", agents, ring, browsers, calls, CRM_S)
    _say(f"ring -> painted, looked up in {CRM_S * 1000:.0f} ms", looked_up.painted, LOOKED_UP_MS)


def _say(what: str, found: Sequence[float], allowed: float) -> None:
    p95 = quantiles(found, n=20, method="inclusive")[-1]
    print(f"{what:44}{median(found):7.0f}{p95:7.0f}{max(found):7.0f}{allowed:9.0f}", flush=True)


async def _measured(route: str, agents: int, ring: int, browsers: int, calls: int, crm_s: float) -> Figures:
    people = [f"agent{at}" for at in range(agents)]
    figures = Figures()
    async with office(people, crm_s, ring) as firm, chromium() as browser, AsyncExitStack() as stack:
        await _give_passwords(firm)
        pages = [await _page(browser, firm, name, stack) for name in people[:browsers]]
        await stack.enter_async_context(_listeners(firm, people[browsers:]))
        for at in range(calls + 1):
            # The first one warms up.
            await _one(firm, pages, route, f"+43664{7000000 + at}", figures if at else Figures())
    return figures


async def _one(firm: Office, pages: Sequence[Page], route: str, number: str, figures: Figures) -> None:
    name = f"Maria Huber {number[-4:]}"
    painted, gone = ([page.evaluate(f"until('{what}', '{name}')") for page in pages] for what in ("painted", "gone"))
    waiting = [asyncio.ensure_future(one) for one in painted]
    caller = await firm.call(route, number)
    ringing = await firm.rings()
    ahead = time.time() - asyncio.get_running_loop().time()
    began = min(call.began_at for call in ringing) + ahead
    figures.painted += [moment - began * 1000 for moment in await asyncio.gather(*waiting)]
    # One without a browser here answers, so that all pops close.
    waiting = [asyncio.ensure_future(one) for one in gone]
    answered = time.time()
    next(call for call in ringing if int(call.called) - 1001 >= len(pages)).answer()
    figures.closed += [moment - answered * 1000 for moment in await asyncio.gather(*waiting)]
    await caller.hang_up()


async def _page(browser: Browser, firm: Office, name: str, stack: AsyncExitStack) -> Page:
    context = await browser.new_context(locale="en-GB")
    stack.push_async_callback(context.close)
    page = await context.new_page()
    await page.add_init_script(_WATCH)
    await page.goto(firm.url)
    await log_in(page, name, PASSWORD)
    await page.get_by_role("tablist").wait_for()
    return page


@asynccontextmanager
async def _listeners(firm: Office, names: Sequence[str]) -> AsyncIterator[None]:
    """Do for people what their pages ask of the engine, in a process of its own."""
    host, _, port = firm.url.partition("://")[2].rpartition(":")
    words = [sys.executable, "-m", "benchmarks.listeners", host, port]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    for name in names:
        process.stdin.write(f"{await _cookie(firm, name)}\n".encode())
    process.stdin.write(b"\n")
    assert await process.stdout.readline() == b"ready\n"
    yield
    process.stdin.close()
    await process.wait()


async def _cookie(firm: Office, name: str) -> str:
    async with (
        aiohttp.ClientSession(firm.url, headers={"X-Routing-Engine": "1"}) as session,
        session.post("/v1/session", json={"user": name, "password": PASSWORD}) as answer,
    ):
        answer.raise_for_status()
        return "; ".join(f"{one.key}={one.value}" for one in answer.cookies.values())


async def _give_passwords(firm: Office) -> None:
    hashed, now = hash_of(PASSWORD), time.time()
    database = Database(DatabasePlace(firm.engine.folder / "state" / "calls.db"))
    await database.open()
    for name in firm.people:
        await database.write(partial(set_password, user=name, hashed=hashed, now=now, by="benchmark"))
    await database.close()


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    asyncio.run(main(*(words or [40, 10, 4, 10])[:4]))
