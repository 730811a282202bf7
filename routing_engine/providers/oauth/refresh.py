"""One renewal: from the disk when another process was faster, else from the vendor, and written down before use.

A vendor that replaces the refresh token at each use locks out whoever uses the old one. So a renewal happens under the
file's lock, after a look at what another process has done. Callers see to it that one runs at a time.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import aiohttp

from routing_engine.core.ports import Clock
from routing_engine.errors import ProviderError, ProviderRefused, ProviderThrottled
from routing_engine.logger import Logger
from routing_engine.providers.net.credential import REFUSED_S, Credential
from routing_engine.providers.oauth.client import PATIENCE_S, LoginRevoked, TokenGrant, ask, form_of, still_fits
from routing_engine.providers.oauth.settings import OAuthSettings
from routing_engine.providers.oauth.tokens import Stamp, StoredToken, TokenStore, has_key, log_in_again
from routing_engine.storage.single_flight import SingleFlight

#: Grants whose answers bring a refresh token that is used.
_REFRESHES = frozenset({"authorization_code", "password"})


class TokenRefresh:
    """Returns tokens. `refused_token` is the access token that the system did not take: it is not given again.

    `unsaved` says that there are new tokens that could not be written down.
    """

    def __init__(
        self,
        name: str,
        settings: OAuthSettings,
        session: Callable[[], aiohttp.ClientSession],
        unix_time: Callable[[], float],
    ) -> None:
        self._name, self._settings, self._session, self._unix_time = name, settings, session, unix_time
        self._store = None if settings.folder is None else TokenStore(name, settings.folder, settings.key)
        self._watched = self._store if settings.by_person else None
        self._stamp: Stamp = None
        self._kept: StoredToken | None = None
        self.unsaved = False
        self._dead: LoginRevoked | None = None
        self._dead_refresh = ""
        self.refused_token = ""

    def written_elsewhere(self) -> bool:
        """Return whether another process has written the tokens since they were read."""
        return self._watched is not None and self._watched.stamp() != self._stamp

    async def renew(self, ending: str = "") -> StoredToken:
        """Return a token that will hold for some time, and not the access token `ending`. Raises `ProviderError`."""
        self._watched = store = await asyncio.to_thread(self._open_store)
        kept = await self._read(store)
        if kept is not None and not self.unsaved and self._usable(kept, ending):
            return kept
        # Read again behind the lock: another process may have renewed while we waited for it.
        async with self._alone(store):
            kept = await self._read(store)
            if kept is None or not self._usable(kept, ending):
                await self._fetch(store, kept)
            return await self._save(store)

    def _open_store(self) -> TokenStore | None:
        """Return where tokens are kept: always where a person logs in, else where that needs nobody's help."""
        store = self._store
        if store is None or self._settings.by_person:
            return store
        return store if has_key(store.folder, store.variable) and store.is_writable() else None

    @asynccontextmanager
    async def _alone(self, store: TokenStore | None) -> AsyncIterator[None]:
        if store is None:
            yield
        else:
            async with store.locked(PATIENCE_S):
                yield

    async def _read(self, store: TokenStore | None) -> StoredToken | None:
        """Return what is known, unless other settings have brought it."""
        if store is not None:
            stamp = await asyncio.to_thread(store.stamp)
            # Tokens that could not be written are newer than the file, unless somebody has logged in meanwhile.
            if not self.unsaved or stamp not in (None, self._stamp):
                self.unsaved, self._stamp = False, stamp
                self._kept = await self._read_file(store) if stamp is not None else None
        kept = self._kept
        fits = kept is None or (kept.made_for, kept.start) == (made_for(self._settings), began_with(self._settings))
        # A refresh token would go on for a password that is no longer right; a person's log-in is not given up for it.
        return kept if fits and (self._settings.by_person or self._is_proved(kept)) else None

    async def _read_file(self, store: TokenStore) -> StoredToken | None:
        try:
            return await asyncio.to_thread(store.read)
        except ProviderRefused:
            if self._settings.by_person:
                raise
            return None  # nobody is needed for new ones

    def _is_proved(self, kept: StoredToken | None) -> bool:
        """Return whether a token was fetched with the secrets of today."""
        return kept is None or kept.proof in ("", proved_with(self._settings))

    def _usable(self, kept: StoredToken, ending: str) -> bool:
        # A token that was refused a moment ago is not worth a second try, whatever its clock says.
        if kept.access_token in ("", ending, self.refused_token):
            return False
        # A secret that is wrong now must show now, and not when this token has run out.
        if not self._is_proved(kept):
            return False
        lives = kept.expires_at is None or self._unix_time() < kept.expires_at - kept.early_s
        return lives and still_fits(self._settings.plan, kept.values)

    async def _fetch(self, store: TokenStore | None, kept: StoredToken | None) -> None:
        refresh = kept.refresh_token if kept is not None else self._settings.refresh_token
        if self._settings.by_person:
            self._check_alive(kept, refresh)
        try:
            granted = await self._ask(kept, refresh if self._settings.grant in _REFRESHES else "")
        except LoginRevoked as error:
            if self._settings.by_person:
                await self._note_death(store, kept, refresh, error)
            raise
        self._kept = kept_of(self._settings, granted, self._unix_time(), refresh)
        self.unsaved = store is not None

    def _check_alive(self, kept: StoredToken | None, refresh: str) -> None:
        """Ask nobody with a refresh token that was refused before, or without any."""
        if not refresh:
            what = "nobody has logged in yet" if kept is None else "the log-in has ended, and brought no refresh token"
            raise LoginRevoked(f"{self._name}: {what}; {log_in_again(self._name)}", "")
        if self._dead is not None and refresh == self._dead_refresh:
            raise LoginRevoked(str(self._dead), self._dead.code)

    async def _ask(self, kept: StoredToken | None, refresh: str) -> TokenGrant:
        known = kept.values if kept is not None else {}
        try:
            form = form_of(self._settings, refresh, self._unix_time)
            return await ask(self._name, self._settings, self._session(), form, known)
        except LoginRevoked:
            if self._settings.by_person or not refresh:
                raise
        form = form_of(self._settings, "", self._unix_time)  # the password is still good when the refresh token is not
        return await ask(self._name, self._settings, self._session(), form, known)

    async def _note_death(
        self, store: TokenStore | None, kept: StoredToken | None, refresh: str, error: LoginRevoked
    ) -> None:
        """Remember a refresh token that is no longer good, also for those who list what is logged in."""
        self._dead, self._dead_refresh = error, refresh
        if store is not None and kept is not None and not kept.refused:
            with suppress(ProviderRefused):  # what it stands in for is told in any case
                await asyncio.to_thread(store.write, replace(kept, refused=error.code))
            self._stamp = store.stamp()

    async def _save(self, store: TokenStore | None) -> StoredToken:
        """Write new tokens down before anybody uses them. When that fails they wait here for the next try."""
        kept = self._kept
        assert kept is not None, "it was read or fetched"
        if self.unsaved and store is not None:
            try:
                await asyncio.to_thread(store.write, kept)
            except ProviderRefused:
                if self._settings.by_person:
                    raise
            self.unsaved, self._stamp = False, store.stamp()
        return kept


def kept_of(settings: OAuthSettings, granted: TokenGrant, now: float, refresh_token: str = "") -> StoredToken:
    """Return what to keep of a token that came at the Unix time `now`; without a new refresh token the old stays."""
    return StoredToken(
        access_token=granted.access_token,
        refresh_token=granted.refresh_token or refresh_token,
        values=dict(granted.values),
        since=now,
        expires_at=None if granted.lifetime_s is None else now + granted.lifetime_s,
        made_for=made_for(settings),
        start=began_with(settings),
        proof=proved_with(settings),
    )


def made_for(settings: OAuthSettings) -> str:
    """Return a mark that differs for settings whose tokens are not each other's: another app, account or address."""
    parts = [settings.grant, settings.plan.token_url, settings.client_id, settings.user, settings.username]
    if not settings.by_person:
        parts += settings.plan.scopes.get(settings.grant, ())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def proved_with(settings: OAuthSettings) -> str:
    """Return a mark that differs with the secrets of the YAML file; it is kept among the encrypted tokens only."""
    secrets = "\0".join((settings.client_secret, settings.private_key, settings.password))
    return hashlib.sha256(f"{settings.client_id}\0{secrets}".encode()).hexdigest()[:16]


def began_with(settings: OAuthSettings) -> str:
    """Return a mark that differs with the refresh token of the YAML file; "" where it has none."""
    token = settings.refresh_token
    return hashlib.sha256(token.encode()).hexdigest()[:16] if token else ""


_log = Logger()
#: How often it is looked whether another process has written the tokens.
_LOOK_AGAIN_S = 1.0
#: After a renewal failed without being refused nobody asks again for so long.
_FAILED_S = 1.0
#: A token that was fetched because of a 401, and is refused within this, will not get better by fetching another.
_HOPELESS_S = 60.0


def open_credential(
    name: str,
    settings: OAuthSettings,
    session: Callable[[], aiohttp.ClientSession],
    clock: Clock,
    unix_time: Callable[[], float] = time.time,
) -> Credential:
    """Return the credential of the integration `name`; it asks nobody before its values are wanted."""
    return OAuthCredential(name, settings, session, clock, unix_time)


@dataclass(frozen=True, slots=True)
class _CachedToken:
    """Values in use: from `stale_at` new ones are fetched beside, from `dead_at` they are not used."""

    values: Mapping[str, str] = field(repr=False)
    born_at: float
    stale_at: float
    dead_at: float
    after_refusal: bool


class OAuthCredential:
    """Keeps the port `Credential`. `session` gives the client to ask with; times are seconds of `clock`."""

    def __init__(
        self,
        name: str,
        settings: OAuthSettings,
        session: Callable[[], aiohttp.ClientSession],
        clock: Clock,
        unix_time: Callable[[], float],
    ) -> None:
        self._name, self._settings, self._clock, self._unix_time = name, settings, clock, unix_time
        self._renewal = TokenRefresh(name, settings, session, unix_time)
        self._held: _CachedToken | None = None
        self._looked_at = clock()
        self._failure: ProviderError | None = None
        self._again_at = float("-inf")
        self._renewing = SingleFlight[_CachedToken]()

    async def values(self) -> Mapping[str, str]:
        """Return `access_token` and what was captured with it; only when there is none the look-up waits."""
        held, now, written = self._held, self._clock(), self._written_elsewhere()
        if held is not None and now < held.stale_at and not written:
            return held.values
        if self._failure is None or written or now >= self._again_at:
            self._renewing.begin(self._renew)
        elif held is None or now >= held.dead_at:
            raise self._anew(self._failure, now)
        if held is not None and now < held.dead_at:
            return held.values
        return (await self._renewing.run(self._renew)).values

    def refused(self, values: Mapping[str, str]) -> bool:
        """Drop values that the system refused, unless newer ones are here already. True when newer ones may help."""
        # Values may be those of an older token, whose refusal says nothing about this one.
        held, now = self._held, self._clock()
        if held is None or held.values.get("access_token") != values.get("access_token"):
            return True
        if held.after_refusal and now < held.born_at + _HOPELESS_S:
            return False
        self._renewal.refused_token, self._held = values.get("access_token", ""), None
        return True

    async def close(self) -> None:
        """Let a renewal come to its end: its answer may hold the only refresh token that is still good."""
        await self._renewing.close(finish=self._settings.by_person)

    def _written_elsewhere(self) -> bool:
        now = self._clock()
        if now < self._looked_at + _LOOK_AGAIN_S or self._renewing.under_way():
            return False
        self._looked_at = now
        return self._renewal.written_elsewhere()

    async def _renew(self) -> _CachedToken:
        held = self._held
        ending = held.values["access_token"] if held is not None and self._clock() >= held.stale_at else ""
        try:
            return self._hold(await self._renewal.renew(ending))
        except ProviderError as error:
            self._fail(error)
            raise

    def _hold(self, kept: StoredToken) -> _CachedToken:
        """Use a token from now on. `after_refusal` is so when it takes the place of one that was refused."""
        now, values = self._clock(), {"access_token": kept.access_token, **kept.values}
        left = float("inf") if kept.expires_at is None else kept.expires_at - self._unix_time()
        after_refusal, self._renewal.refused_token = bool(self._renewal.refused_token), ""
        self._held = held = _CachedToken(values, now, now + left - kept.early_s, now + left, after_refusal)
        self._failure = None
        return held

    def _fail(self, error: ProviderError) -> None:
        if self._failure is None:
            _log.warning("oauth.failed", integration=self._name, why=str(error))
        self._failure, self._again_at = error, self._clock() + self._pause_s(error)

    def _pause_s(self, error: ProviderError) -> float:
        if isinstance(error, ProviderThrottled):
            return error.retry_after_s
        # Only a written store ends this; that is looked at meanwhile.
        if isinstance(error, LoginRevoked) and self._settings.by_person:
            return float("inf")
        return REFUSED_S if isinstance(error, ProviderRefused) and not self._renewal.unsaved else _FAILED_S

    def _anew(self, failure: ProviderError, now: float) -> ProviderError:
        """Return the last failure as a new exception: one that is raised twice grows with each traceback."""
        if isinstance(failure, ProviderThrottled):
            return ProviderThrottled(str(failure), self._again_at - now)
        if isinstance(failure, ProviderRefused):
            return ProviderRefused(str(failure), failure.theirs)
        return type(failure)(str(failure))
