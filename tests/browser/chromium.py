"""A real Chromium, and what is wrong with a page that it shows."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `make test` collects these tests, and has no playwright
    from playwright.async_api import Browser, ConsoleMessage, Page

TOP = Path(__file__).parents[2]
AXE = TOP / "pages/node_modules/axe-core/axe.min.js"
#: Nothing here is judged by the clock: this is far beyond what anything takes.
PATIENCE_MS = 60_000
#: Without those for the network it looks for servers of its maker, again and again.
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--use-fake-ui-for-media-stream"),
    *("--use-fake-device-for-media-stream", "--autoplay-policy=no-user-gesture-required"),
    "--disable-features=WebRtcHideLocalIpsWithMdns,MediaRouter,OptimizationHints",
)


def executable() -> str:
    """Return the path of the Chromium that rig/get-chromium brings."""
    told = subprocess.run([TOP / "rig/get-chromium"], stdout=subprocess.PIPE, text=True, check=True)
    return told.stdout.split()[-1]


@asynccontextmanager
async def chromium(*more: str) -> AsyncIterator[Browser]:
    """Run a Chromium."""
    # late: as above
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=[*FLAGS, *more])
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Watched:
    """A page, and everything that went wrong in it."""

    page: Page
    faults: list[str] = field(default_factory=list)

    @classmethod
    async def of(cls, page: Page) -> Watched:
        """Watch a page that is still empty."""
        watched = cls(page)
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: watched.faults.append(f"error: {error}"))
        page.on("console", watched._heard)
        await page.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective + ' '"
            " + e.blockedURI))"
        )
        return watched

    def _heard(self, message: ConsoleMessage) -> None:
        # What the API refuses is told by the page itself; the browser's line about it is no fault.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.faults.append(message.text)

    async def axe(self) -> Sequence[str]:
        """Return what axe finds wrong for who sees badly, or has no mouse."""
        await self.page.evaluate(AXE.read_text())
        found = await self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in found["violations"]
            for node in one["nodes"]
        ]


def pictures() -> Path | None:
    """Return the folder that pictures of the page are kept in, where somebody wants to look at them."""
    folder = os.environ.get("PICTURES")
    return None if folder is None else Path(folder)
