"""The custom middleware: one HTTP address that answers who a caller is.

Wire-compatible with PBXware's Routing Integrations: up to four parameters in the query of a GET or the JSON body of a
POST; the answer is JSON (`answers.py` says what is a record). A redirect is never followed: it would carry the
caller's number and our credentials to an address that nobody configured.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from multidict import CIMultiDict
from yarl import URL

from routing_engine.core.model import Record
from routing_engine.core.ports import Clock, Provider, Query
from routing_engine.errors import (
    ProviderError,
    ProviderRefused,
    ProviderThrottled,
    ProviderUnreachable,
)
from routing_engine.providers.answers import read_answer, shape_of
from routing_engine.providers.http.settings import HttpSettings
from routing_engine.providers.http.settings import read_settings as read_settings
from routing_engine.providers.net.http_client import HttpAnswer, HttpClient
from routing_engine.providers.net.http_wire import parameters, with_query
from routing_engine.providers.oauth.credential import open_credential
from routing_engine.settings.integration import Model

_NO_RECORD = frozenset({204, 404})
#: What gateways answer while the system behind them is restarted.
_GATEWAY = frozenset({502, 503, 504})
#: How long a server that says "too many requests" is left alone when it does not say itself.
_THROTTLED_S = 1.0


@dataclass(frozen=True, slots=True)
class _MiddlewareRequest:
    url: URL
    body: bytes | None
    signed: bytes


def open_http(name: str, settings: object, models: Mapping[str, Model], region: str, clock: Clock) -> Provider:
    """Return the provider of a middleware; it connects at the first look-up."""
    assert isinstance(settings, HttpSettings)
    return HttpProvider(name, settings, models, clock)


class HttpProvider:
    """Asks a middleware. One shared client session: kept-alive connections, as many as there are look-ups."""

    def __init__(
        self,
        name: str,
        settings: HttpSettings,
        models: Mapping[str, Model],
        clock: Clock,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._settings = settings
        self._shapes = {model: shape_of(name, models[model]) for model in models}
        self._unix_time = unix_time
        self._client = HttpClient(
            name, settings.tls, settings.connect_timeout_s, settings.max_answer_bytes, unix_time=unix_time
        )
        self._headers = CIMultiDict(settings.auth.headers)
        if settings.method == "POST":
            self._headers["Content-Type"] = "application/json"
        self._address = with_query(settings.address, settings.auth.query)
        oauth = settings.auth.oauth
        self._tokens = open_credential(name, oauth, self._client.session, clock) if oauth is not None else None

    async def find(self, query: Query) -> Sequence[Record]:
        """Ask the middleware for the records of a caller or an input."""
        shape = self._shapes[query.model]
        pairs = parameters(query, self._settings, shape)
        if not pairs:
            raise ProviderRefused(f"{self._name}: there is nothing to search by; look at 'parameters'")
        request = self._request(pairs)
        status, body, wait_s, _ = await self._answer(request)
        if status in _NO_RECORD:
            return ()
        if 200 <= status < 300:
            return read_answer(body, shape)
        raise self._refusal(status, wait_s)

    async def close(self) -> None:
        """Close the connections."""
        if self._tokens is not None:
            await self._tokens.close()
        await self._client.close()

    def _request(self, pairs: Mapping[str, str]) -> _MiddlewareRequest:
        if self._settings.method == "POST":
            body = json.dumps(pairs, separators=(",", ":")).encode()
            return _MiddlewareRequest(URL(self._address, encoded=True), body, body)
        address = with_query(self._address, tuple(pairs.items()))
        return _MiddlewareRequest(URL(address, encoded=True), None, address.partition("?")[2].encode())

    async def _answer(self, request: _MiddlewareRequest) -> HttpAnswer:
        if self._tokens is None:
            return await self._send(request, None)
        values = await self._tokens.values()
        answer = await self._send(request, values["access_token"])
        if answer.status != 401 or not self._tokens.refused(values):
            return answer
        return await self._send(request, (await self._tokens.values())["access_token"])

    async def _send(self, request: _MiddlewareRequest, token: str | None) -> HttpAnswer:
        headers = self._headers_of(request, token)
        return await self._client.send(self._settings.method, request.url, headers, request.body, asks=True)

    def _headers_of(self, request: _MiddlewareRequest, token: str | None) -> CIMultiDict[str]:
        signer = self._settings.auth.signer
        if signer is None and token is None:
            return self._headers
        headers = self._headers.copy()
        if signer is not None:
            headers.update(signer.sign(request.signed, self._unix_time()))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _refusal(self, status: int, wait_s: float | None) -> ProviderError:
        said = f"{self._name}: the server answered with status {status}"
        if status == 429 or (status == 503 and wait_s is not None):
            return ProviderThrottled(said, _THROTTLED_S if wait_s is None else wait_s)
        if status >= 500:
            return ProviderUnreachable(said, again=status in _GATEWAY)
        if 300 <= status < 400:
            return ProviderRefused(f"{self._name}: the server redirects (status {status}), which is never followed")
        what = "our credentials" if status in (401, 403, 407) else "the request"
        return ProviderRefused(f"{self._name}: the server refused {what} (status {status})")
