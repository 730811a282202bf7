"""A person's own account in a described system: OAuth2 of the integration's app, with tokens of the person's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import aiohttp

from routing_engine.calls.own_accounts import AccountState
from routing_engine.calls.ports import CallLog, RecordDesk
from routing_engine.core.ports import Clock
from routing_engine.errors import ProviderRefused
from routing_engine.providers.crm.call_log import CrmCallLog
from routing_engine.providers.crm.client import CrmClient
from routing_engine.providers.crm.record_desk import CrmRecordDesk
from routing_engine.providers.crm.records import MappedModel
from routing_engine.providers.crm.settings import CrmSettings
from routing_engine.providers.oauth.client import PATIENCE_S
from routing_engine.providers.oauth.login import ForeignCallback, Login, prepare_key
from routing_engine.providers.oauth.refresh import made_for
from routing_engine.providers.oauth.settings import OAuthSettings
from routing_engine.providers.oauth.tokens import OF, TokenStore

_BY_PERSON = "authorization_code"


def personal(settings: CrmSettings, mark: str) -> CrmSettings | None:
    """Return the settings with which a person logs in; None where the integration's way has none for people."""
    oauth = settings.oauth
    if oauth is None or oauth.folder is None or _BY_PERSON not in oauth.plan.grants or not oauth.plan.authorize_url:
        return None
    # Nothing of the integration's own log-in: with its refresh token the person would write in its name.
    own = replace(oauth, grant=_BY_PERSON, refresh_token="", user=mark, username="", password="", private_key="")
    return replace(settings, oauth=own)


@dataclass(frozen=True, slots=True)
class CrmLogIn:
    """Keeps the port `AccountLogIn`."""

    login: Login
    session: Callable[[], aiohttp.ClientSession]
    done: Callable[[], None]

    @property
    def state(self) -> str:
        """What comes back with the answer."""
        return self.login.state

    def address(self) -> str:
        """Return the address of the vendor's page."""
        return self.login.address()

    async def finish(self, answer: Mapping[str, str]) -> None:
        """Change the code for tokens, and keep them."""
        try:
            code = self.login.code_in(answer)
        except ForeignCallback as error:
            raise ProviderRefused(f"{self.login.name}: {error}") from None
        await self.login.finish(self.session(), code)
        self.done()


class CrmAccount:
    """Keeps the port `OwnAccount`. `store` is the name under which its tokens lie: integration and person."""

    def __init__(
        self, name: str, person: str, settings: CrmSettings, mapped: Mapping[str, MappedModel], clock: Clock
    ) -> None:
        self._store, self._settings, self._mapped, self._clock = f"{name}{OF}{person}", settings, mapped, clock
        self._name = name
        self._client = self._open()
        self._gone: list[CrmClient] = []

    async def state(self) -> AccountState | None:
        """Return how it is; None while it is not connected."""
        return await asyncio.to_thread(self._read_state)

    def _read_state(self) -> AccountState | None:
        kept = self._tokens.read() if self._tokens.stamp() is not None else None
        if kept is None:
            return None
        # Of another app, or of somebody else who had this key: it is not used any more.
        ended = bool(kept.refused) or kept.made_for != made_for(self._oauth)
        renews = bool(kept.refresh_token)
        over = kept.expires_at is not None and not renews and kept.expires_at <= time.time()
        return AccountState("ended" if ended or over else "connected", None if renews else kept.expires_at)

    async def connect(self, redirect_url: str) -> CrmLogIn:
        """Begin to connect it."""
        oauth = replace(self._oauth, redirect_url=redirect_url)
        await asyncio.to_thread(prepare_key, self._store, oauth)
        return CrmLogIn(Login(self._store, oauth, redirect_url), lambda: self._client.session(), self._anew)

    async def disconnect(self) -> None:
        """Forget it."""
        async with self._tokens.locked(PATIENCE_S):
            await asyncio.to_thread(self._tokens.remove)
        # What is in memory would go on with it.
        self._anew()

    def call_log(self) -> CallLog | None:
        """Return what writes calls with it."""
        if not self._settings.description.writing.log_call:
            return None
        return CrmCallLog(self._name, self._settings, self._mapped, self._client)

    def record_desk(self) -> RecordDesk | None:
        """Return what writes records with it."""
        return CrmRecordDesk(self._name, self._settings, self._mapped, self._client)

    async def close(self) -> None:
        """Close the connections."""
        for client in (self._client, *self._gone):
            await client.close()

    @property
    def _oauth(self) -> OAuthSettings:
        assert self._settings.oauth is not None, "a person logs in with OAuth2"
        return self._settings.oauth

    @property
    def _tokens(self) -> TokenStore:
        assert self._oauth.folder is not None, "a person's tokens are kept"
        return TokenStore(self._store, self._oauth.folder, self._oauth.key)

    def _open(self) -> CrmClient:
        return CrmClient(self._name, self._settings, self._clock, self._store)

    def _anew(self) -> None:
        """Use the tokens that are kept now: a credential goes on with those that it had."""
        self._gone.append(self._client)
        self._client = self._open()
