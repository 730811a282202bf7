"""OAuth2 client credentials: one token for all look-ups, fetched once however many wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn
from urllib.parse import quote_plus

import aiohttp

from routing_engine.core.ports import Clock
from routing_engine.errors import ProviderMisread, ProviderRefused, ProviderUnreachable
from routing_engine.providers.answers import read_json
from routing_engine.providers.http_auth import ClientCredentials, basic_credentials

#: RFC 6749 leaves the lifetime to the server's documentation when the answer has none.
_LIFETIME_S = 300.0
_EARLY_S = 60.0
_PATIENCE_S = 10.0
_LONGEST = 65_536


@dataclass(frozen=True, slots=True)
class Token:
    """An access token: from `stale_at` a new one is fetched beside, from `dead_at` it is not used."""

    value: str = field(repr=False)
    stale_at: float
    dead_at: float


class Tokens:
    """Keeps a token fresh. `session` gives the client to ask with; times are seconds of `clock`."""

    def __init__(
        self, integration: str, settings: ClientCredentials, session: Callable[[], aiohttp.ClientSession], clock: Clock
    ) -> None:
        self._integration = integration
        self._settings = settings
        self._session = session
        self._clock = clock
        self._token: Token | None = None
        self._fetching: asyncio.Task[Token] | None = None

    async def token(self) -> Token:
        """Give a token that works for now; only when there is none the look-up waits for a new one."""
        token, now = self._token, self._clock()
        if token is not None and now < token.stale_at:
            return token
        fetching = self._fetch_once()
        if token is not None and now < token.dead_at:
            return token
        # A look-up whose caller has hung up must not take the token away from the others that wait for it.
        return await asyncio.shield(fetching)

    def forget(self, token: Token) -> None:
        """Drop a token that the middleware refused, unless a newer one is here already."""
        if self._token is token:
            self._token = None

    async def close(self) -> None:
        """Stop fetching."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _fetch_once(self) -> asyncio.Task[Token]:
        if self._fetching is None:
            self._fetching = asyncio.get_running_loop().create_task(self._fetch())
            self._fetching.add_done_callback(self._fetched)
        return self._fetching

    def _fetched(self, task: asyncio.Task[Token]) -> None:
        self._fetching = None
        if not task.cancelled() and task.exception() is None:
            self._token = task.result()

    async def _fetch(self) -> Token:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                status, body = await self._ask()
        except (aiohttp.ClientError, OSError):  # TimeoutError is an OSError
            raise ProviderUnreachable(f"{self._integration}: the token address does not answer") from None
        if status >= 500 or status == 429:
            raise ProviderUnreachable(f"{self._integration}: the token address answered with status {status}")
        if status != 200:
            raise ProviderRefused(f"{self._integration}: the token address refused us with status {status}")
        return self._read(body)

    async def _ask(self) -> tuple[int, bytes]:
        settings, headers = self._settings, {"Accept": "application/json"}
        form = {"grant_type": "client_credentials"} | ({"scope": settings.scope} if settings.scope else {})
        if settings.in_body:
            form |= {"client_id": settings.client_id, "client_secret": settings.client_secret}
        else:
            user, password = quote_plus(settings.client_id), quote_plus(settings.client_secret)
            headers["Authorization"] = basic_credentials(user, password)
        async with self._session().post(
            settings.token_url, data=form, headers=headers, allow_redirects=False
        ) as response:
            return response.status, await response.content.read(_LONGEST)

    def _read(self, body: bytes) -> Token:
        try:
            answer = read_json(body)
        except ValueError:
            self._misread()
        if not isinstance(answer, dict):
            self._misread()
        value, lifetime = answer.get("access_token"), _seconds(answer.get("expires_in"))
        if not isinstance(value, str) or not (value.isascii() and value.isprintable() and value):
            self._misread()
        now = self._clock()
        return Token(value, now + lifetime - min(_EARLY_S, lifetime / 5), now + lifetime)

    def _misread(self) -> NoReturn:
        raise ProviderMisread(f"{self._integration}: the token address answered without an access token") from None


def _seconds(raw: object) -> float:
    """Read `expires_in`; some servers send it as text."""
    try:
        found = float(raw) if isinstance(raw, (int, float, str)) else _LIFETIME_S
    except (ValueError, OverflowError):
        return _LIFETIME_S
    return found if 0 < found < 10**9 else _LIFETIME_S
