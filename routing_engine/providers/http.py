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
from typing import NamedTuple

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError
from multidict import CIMultiDict
from yarl import URL

from routing_engine import __version__
from routing_engine.core.model import Record
from routing_engine.core.ports import Clock, Provider, Query
from routing_engine.errors import (
    ProviderError,
    ProviderMisread,
    ProviderRefused,
    ProviderThrottled,
    ProviderUnreachable,
)
from routing_engine.integration import Model
from routing_engine.providers.answers import read_answer, shape_of
from routing_engine.providers.http_oauth import Token, Tokens
from routing_engine.providers.http_settings import HttpSettings
from routing_engine.providers.http_settings import read_settings as read_settings
from routing_engine.providers.http_wire import parameters, retry_after_s, what_broke, with_query

_KEEP_ALIVE_S = 60.0
_DNS_CACHE_S = 60
_NO_RECORD = frozenset({204, 404})
#: What gateways answer while the system behind them is restarted.
_GATEWAY = frozenset({502, 503, 504})
#: How long a server that says "too many requests" is left alone when it does not say itself.
_THROTTLED_S = 1.0


class _Answer(NamedTuple):
    """A status, a body, and how long the server wants to be left alone (None: it does not say)."""

    status: int
    body: bytes
    wait_s: float | None


@dataclass(frozen=True, slots=True)
class _Request:
    url: URL
    body: bytes | None
    signed: bytes


def open_http(name: str, settings: object, models: Mapping[str, Model], region: str, clock: Clock) -> Provider:
    """Give the provider of a middleware; it connects at the first look-up."""
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
        self._headers = CIMultiDict(settings.auth.headers)
        if settings.method == "POST":
            self._headers["Content-Type"] = "application/json"
        self._address = with_query(settings.address, settings.auth.query)
        self._client: aiohttp.ClientSession | None = None
        self._closed = self._answered = False
        oauth = settings.auth.oauth
        self._tokens = Tokens(name, oauth, self._session, clock) if oauth is not None else None

    async def find(self, query: Query) -> Sequence[Record]:
        """Ask the middleware for the records of a caller or an input."""
        shape = self._shapes[query.model]
        pairs = parameters(query, self._settings, shape)
        if not pairs:
            raise ProviderRefused(f"{self._name}: there is nothing to search by; look at 'parameters'")
        request = self._request(pairs)
        status, body, wait_s = await self._answer(request)
        if status in _NO_RECORD:
            return ()
        if 200 <= status < 300:
            return read_answer(body, shape)
        raise self._refusal(status, wait_s)

    async def close(self) -> None:
        """Close the connections."""
        self._closed = True
        if self._tokens is not None:
            await self._tokens.close()
        if self._client is not None:
            await self._client.close()

    def _request(self, pairs: Mapping[str, str]) -> _Request:
        if self._settings.method == "POST":
            body = json.dumps(pairs, separators=(",", ":")).encode()
            return _Request(URL(self._address, encoded=True), body, body)
        address = with_query(self._address, tuple(pairs.items()))
        return _Request(URL(address, encoded=True), None, address.partition("?")[2].encode())

    async def _answer(self, request: _Request) -> _Answer:
        if self._tokens is None:
            return await self._send(request, None)
        token = await self._tokens.token()
        answer = await self._send(request, token)
        if answer.status != 401:
            return answer
        self._tokens.forget(token)
        return await self._send(request, await self._tokens.token())

    async def _send(self, request: _Request, token: Token | None) -> _Answer:
        headers = self._headers_of(request, token)
        try:
            async with self._session().request(
                self._settings.method, request.url, data=request.body, headers=headers, allow_redirects=False
            ) as response:
                self._answered = True
                wait_s = retry_after_s(response.headers.get("Retry-After", ""), self._unix_time())
                return _Answer(response.status, await self._body(response), wait_s)
        except (aiohttp.ClientError, OSError) as error:
            # Not chained: aiohttp's errors hold the address of the request, and with it the caller's number.
            raise self._failure(error) from None

    def _headers_of(self, request: _Request, token: Token | None) -> CIMultiDict[str]:
        signer = self._settings.auth.signer
        if signer is None and token is None:
            return self._headers
        headers = self._headers.copy()
        if signer is not None:
            headers.update(signer.sign(request.signed, self._unix_time()))
        if token is not None:
            headers["Authorization"] = f"Bearer {token.value}"
        return headers

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        """Read as much as an answer may hold, counted after decompression; what is refused is not read at all."""
        if response.status >= 300 and response.status not in _NO_RECORD:
            return b""
        chunks, size = [], 0
        while chunk := await response.content.readany():
            chunks.append(chunk)
            size += len(chunk)
            if size > self._settings.max_answer_bytes:
                response.close()
                raise ProviderMisread(f"{self._name}: the answer is larger than max_answer_bytes allows")
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

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

    def _failure(self, error: Exception) -> ProviderError:
        if isinstance(error, aiohttp.ClientResponseError) or isinstance(error.__cause__, ContentEncodingError):
            return ProviderMisread(f"{self._name}: the answer is not HTTP as it should be")
        if isinstance(error, aiohttp.ServerTimeoutError | TimeoutError):
            return ProviderUnreachable(f"{self._name}: no connection within connect_timeout_s", self._may_have_moved())
        if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError):
            return ProviderUnreachable(f"{self._name}: {what_broke(error)}", self._may_have_moved())
        return ProviderUnreachable(f"{self._name}: {what_broke(error)}", self._is_worth_another(error))

    def _may_have_moved(self) -> bool:
        """Forget where the name led; tell whether it led to somebody until now, so that asking anew may help."""
        if self._client is not None and isinstance(self._client.connector, aiohttp.TCPConnector):
            self._client.connector.clear_dns_cache()
        answered, self._answered = self._answered, False
        return answered

    def _is_worth_another(self, error: Exception) -> bool:
        """Tell whether the connection broke, and nobody has tried again yet.

        A POST here asks as a GET does: it may be repeated, which aiohttp does not know. A GET that got no answer it
        has repeated already.
        """
        if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientConnectionResetError):
            return True
        broke = isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
        return broke and self._settings.method == "POST" and not isinstance(error, aiohttp.ClientConnectorError)

    def _session(self) -> aiohttp.ClientSession:
        if self._client is None:
            if self._closed:
                raise ProviderUnreachable(f"{self._name}: the connection is closed")
            self._client = self._open_session()
        return self._client

    def _open_session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0,
            ssl=self._settings.tls or True,
            keepalive_timeout=_KEEP_ALIVE_S,
            ttl_dns_cache=_DNS_CACHE_S,
        )
        return aiohttp.ClientSession(
            connector=connector,
            headers={"Accept": "application/json", "User-Agent": f"routing-engine/{__version__}"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._settings.connect_timeout_s),
            trust_env=False,
        )
