"""A credential that is fetched, kept and renewed: one renewal at a time, before the token ends, and after a 401."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import aiohttp
import structlog

from routing_engine.core.ports import Clock
from routing_engine.errors import ProviderError, ProviderRefused, ProviderThrottled
from routing_engine.providers.net.credential import REFUSED_S, Credential
from routing_engine.providers.oauth.client import LoginRevoked
from routing_engine.providers.oauth.refresh import TokenRefresh
from routing_engine.providers.oauth.settings import OAuthSettings
from routing_engine.providers.oauth.tokens import StoredToken
from routing_engine.storage.single_flight import SingleFlight

_log = structlog.get_logger(__name__)
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
        """Give `access_token` and what was captured with it; only when there is none the look-up waits."""
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
