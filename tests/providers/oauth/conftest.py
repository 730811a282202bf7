"""A vendor in the loop, and the credentials of an integration `crm` that ask it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from routing_engine.providers.net.credential import Credential
from routing_engine.providers.oauth.plan import PlanKeys
from routing_engine.providers.oauth.refresh import began_with, made_for, open_credential
from routing_engine.providers.oauth.settings import OAuthSettings, filled_plan, read_oauth
from routing_engine.providers.oauth.tokens import StoredToken, TokenStore, make_key
from routing_engine.settings import spec
from routing_engine.settings.yaml_reader import Problems, read_yaml
from tests.fakes import FakeClock

from .vendor import CLIENT, SECRET, Vendor

SECRETS = {"APP_SECRET": SECRET, "REFRESH": "refresh-0", "PASSWORD": "pa ss"}
APP = f"client_id: {CLIENT}\nclient_secret: '${{APP_SECRET}}'\n"
UNIX = 1_800_000_000.0


def read(
    plan: str, own: str, folder: Path, environment: dict[str, str] | None = None
) -> tuple[OAuthSettings, Problems]:
    """Read a description's `oauth2` and the operator's; give the settings and all problems."""
    notes = Problems("integrations/crm.yaml", {**SECRETS, **(environment or {})}.get)
    theirs, ours = read_yaml(plan, notes), read_yaml(own, notes)
    assert theirs is not None
    assert ours is not None
    fill = lambda text: text.replace("{settings.domain}", "acme")  # noqa: E731
    return read_oauth(ours, filled_plan(spec.read(theirs, PlanKeys, "'oauth2'").plan, fill), folder, "crm"), notes


@dataclass
class Site:
    """A configuration folder, a vendor and a clock; gives credentials on them."""

    folder: Path
    vendor: Vendor
    clock: FakeClock = field(default_factory=FakeClock)
    sessions: list[aiohttp.ClientSession] = field(default_factory=list)

    def unix_time(self) -> float:
        return UNIX + self.clock.now_s

    def settings(self, plan: str = "", own: str = "", key: str = "") -> OAuthSettings:
        vendor = self.vendor.address
        whole = f"token_url: {vendor}/token\nauthorize_url: {vendor}/authorize\n{plan}"
        found, notes = read(whole, APP + own, self.folder, {"ROUTING_ENGINE_KEY": key} if key else None)
        assert notes.problems == []
        return found

    def credential(self, settings: OAuthSettings | None = None) -> Credential:
        session = aiohttp.ClientSession()
        self.sessions.append(session)
        return open_credential("crm", settings or self.settings(), lambda: session, self.clock, self.unix_time)

    def logged_in(self, settings: OAuthSettings | None = None, lives_s: float | None = -1, **values: str) -> TokenStore:
        """Somebody has logged in; without more the access token has ended since."""
        settings = settings or self.settings()
        make_key(self.folder, settings.key)
        store = TokenStore("crm", self.folder, settings.key)
        now, self.vendor.good = self.unix_time(), {"refresh-0"}
        ends = None if lives_s is None else now + lives_s
        store.write(
            StoredToken("access-0", "refresh-0", values, now - 3600, ends, made_for(settings), began_with(settings))
        )
        return store

    def kept(self) -> StoredToken:
        found = TokenStore("crm", self.folder).read()
        assert found is not None
        return found


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    vendor = Vendor()
    async with vendor.serving():
        found = Site(tmp_path, vendor)
        yield found
        for session in found.sessions:
            await session.close()


async def until(true: Callable[[], bool]) -> None:
    """Let everything else run until something is so; a test that never comes there fails."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.001)
