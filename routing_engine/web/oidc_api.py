"""`/v1/session/oidc`: sends a browser to the provider, and logs in who comes back."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from routing_engine.config.load import Configuration
from routing_engine.core.ports import Clock
from routing_engine.logger import Logger
from routing_engine.settings.log_in import OidcKeys
from routing_engine.web.endpoints import Endpoint, Gives
from routing_engine.web.oidc import LATEST_S, OidcClient, OidcRefused, person_of
from routing_engine.web.people_api import PeopleApi, need_secure
from routing_engine.web.requests import ApiError, ApiRequest, PlainAnswer
from routing_engine.web.sessions import COOKIE, Sessions, cookie_of, set_cookie
from routing_engine.web.tries import Tries, place_of

#: The cookie of a browser that is at the provider.
ON_THE_WAY = "routing_engine_log_in"
_BACK = "/v1/session/oidc/back"
_HOST = re.compile(r"[A-Za-z0-9.\-_\[\]:]{1,255}\Z", re.ASCII)
_BEGIN = "Send the browser to the provider of OpenID Connect."
_END = "Where the provider sends the browser back; then it goes to the page, or to `/log-in?error=CODE`."

_log = Logger()


class OidcApi:
    """The way to a provider and back. `configuration` is what is in force."""

    def __init__(
        self, sessions: Sessions, people: PeopleApi, configuration: Callable[[], Configuration], clock: Clock
    ) -> None:
        self._sessions, self._people, self._configuration = sessions, people, configuration
        self._clock = clock
        self._client: OidcClient | None = None
        # Each way back is a request to the provider: not as many as somebody likes.
        self._tries = Tries(30, 60.0, clock)

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            await self._client.close()

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
        away = (Gives("nothing: `Location` says where", None, 303, ""),)
        at = "/v1/session/oidc"
        return (
            Endpoint("GET", at, None, self._begin, _BEGIN, gives=away, refuses=(403, 404, 429)),
            Endpoint("GET", _BACK, None, self._back, _END, gives=away, refuses=(403, 404, 429), any_query=True),
        )

    async def _begin(self, request: ApiRequest) -> PlainAnswer:
        settings = self._settings(request)
        try:
            address, kept = await self._oidc().begin(settings, self._redirect(request))
        except OidcRefused as error:
            return self._refused(error, request)
        # Lax: the provider's page leads back here, and that is another site.
        cookie = set_cookie(ON_THE_WAY, kept, LATEST_S, request.peer.secure, "Lax")
        return _away(address, (cookie,))

    async def _back(self, request: ApiRequest) -> PlainAnswer:
        settings = self._settings(request)
        secure = request.peer.secure
        gone = set_cookie(ON_THE_WAY, "", 0, secure, "Lax")
        try:
            claims = await self._oidc().finish(settings, request.query, cookie_of(request.headers, ON_THE_WAY, secure))
            user = person_of(settings, claims, self._configuration().users)
        except OidcRefused as error:
            return self._refused(error, request, (gone,))
        if before := cookie_of(request.headers, COOKIE, secure):
            await self._sessions.drop(before)
        new = await self._sessions.begin(user, request.peer, "oidc")
        return _away("/", (gone, *self._people.cookies(new, request.peer)))

    def _settings(self, request: ApiRequest) -> OidcKeys:
        found = self._configuration().settings.log_in.oidc
        if found is None:
            raise ApiError(404, "no_oidc", "there is no provider of OpenID Connect", "log_in.oidc in engine.yaml")
        need_secure(request.peer)
        place = place_of(request.peer.address)
        if self._tries.are_over(place):
            raise ApiError(429, "too_many_tries", "too many log-ins came from this address", "wait a minute")
        self._tries.count(place)
        return found

    def _oidc(self) -> OidcClient:
        self._client = self._client or OidcClient(self._clock)
        return self._client

    def _redirect(self, request: ApiRequest) -> str:
        """Return where the provider sends the browser back. It compares that with what the administrator told it."""
        address = self._configuration().settings.pages.address
        host = request.headers.get("Host", "")
        if not address and not _HOST.match(host):
            raise ApiError(400, "bad_host", "the request does not say which host it wants", "pages.address")
        return (address or f"{'https' if request.peer.secure else 'http'}://{host}") + _BACK

    def _refused(self, error: OidcRefused, request: ApiRequest, cookies: tuple[str, ...] = ()) -> PlainAnswer:
        _log.warning("people.oidc_refused", why=str(error), address=request.peer.address)
        self._sessions.audit.note("", "log-in refused", "oidc", request.peer.address)
        return _away(f"/log-in?error={error.fault}", cookies)


def _away(address: str, cookies: tuple[str, ...]) -> PlainAnswer:
    return PlainAnswer(b"", "text/plain", 303, {"Location": address}, cookies)
