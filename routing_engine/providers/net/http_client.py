"""One HTTP client for each integration: a shared session of kept-alive connections, every failure a `ProviderError`."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError
from yarl import URL

from routing_engine import __version__
from routing_engine.core.pace import paced
from routing_engine.errors import ProviderError, ProviderMisread, ProviderRefused, ProviderUnreachable, Who
from routing_engine.providers.net.kept_connection import WholeAnswer
from routing_engine.providers.net.lean_request import Body, LeanRequests, LeanResponse, RequestTarget, target_of
from routing_engine.providers.net.looks_on import LOOKS_ON, HttpExchange
from routing_engine.retry_after import seconds_until

_KEEP_ALIVE_S = 60.0
_DNS_CACHE_S = 60


class HttpAnswer(NamedTuple):
    """A status, a body, how long the server wants to be left alone (None: it does not say), and the headers."""

    status: int
    body: bytes
    wait_s: float | None
    headers: Mapping[str, str]


class ConnectionFailure(NamedTuple):
    """Why there was no answer, in words; who must act, and what to do."""

    says: str
    who: Who
    remedy: str = ""


_TLS = "the TLS connection cannot be made; look at the certificates"
#: The rule, once: what can be wrong before there is an answer, and who must act.
FAILURES: Mapping[str, ConnectionFailure] = {
    "no name": ConnectionFailure(
        "the host name of the address is not known", "network", "look at the address; if it is right, at the DNS server"
    ),
    "refused": ConnectionFailure("nobody accepts connections at the address", "network"),
    "slow": ConnectionFailure("no connection within connect_timeout_s", "network"),
    "broken": ConnectionFailure("the connection broke before the answer was complete", "network"),
    "expired": ConnectionFailure(f"{_TLS}: theirs has expired", "vendor"),
    "not yet": ConnectionFailure(
        f"{_TLS}: theirs is not valid yet", "vendor", "look at this machine's clock, else at their certificate"
    ),
    "other name": ConnectionFailure(
        f"{_TLS}: theirs is for another host name", "administrator", "write the name that the certificate is for"
    ),
    "unknown issuer": ConnectionFailure(
        f"{_TLS}: signed by nobody trusted here",
        "administrator",
        "name who signed it: 'tls: {ca: FILE}'",
    ),
    "no tls": ConnectionFailure(
        _TLS, "administrator", "look at scheme and port of the address: no TLS is spoken there"
    ),
}
#: By the codes of OpenSSL's verification.
_CERTIFICATES = {9: "not yet", 10: "expired", 62: "other name", 64: "other name"}


class HttpClient:
    """Sends requests in the name of an integration. No redirect is followed, no cookie kept, no proxy used.

    An answer of more than `max_answer_bytes` is an error; one whose status is no success is read up to `error_bytes`.
    """

    def __init__(
        self,
        name: str,
        tls: ssl.SSLContext | None,
        connect_timeout_s: float,
        max_answer_bytes: int,
        error_bytes: int = 0,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self._name = name
        self._tls = tls
        self._connect_timeout_s = connect_timeout_s
        self._most, self._error_bytes = max_answer_bytes, error_bytes
        self._unix_time = unix_time
        self._client: aiohttp.ClientSession | None = None
        self._lean: dict[aiohttp.ClientSession, LeanRequests] = {}
        self._under_way: dict[aiohttp.ClientSession, int] = {}
        #: Whether the server has answered at all, and whether there may be a kept connection to it.
        self._answered = self._keeps = False
        self._closed = False

    async def send(
        self, method: str, url: URL | RequestTarget, headers: Mapping[str, str], body: Body, asks: bool = False
    ) -> HttpAnswer:
        """Send one request. `asks` says that a POST changes nothing on the other side: it may be repeated."""
        await paced()
        target = url if isinstance(url, RequestTarget) else target_of(url)
        session, kept, repeatable = self.session(), self._keeps, asks and method == "POST"
        try:
            try:
                return await self._exchange(session, method, target, headers, body)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                # A balancer may have dropped every kept connection at once; that says nothing about the system. aiohttp
                # repeats a GET on the next kept one, which is as dead.
                if not kept or isinstance(error, aiohttp.ClientConnectorError) or not (repeatable or method == "GET"):
                    raise
                await self._retire(session)
                repeatable = False
                return await self._exchange(self.session(), method, target, headers, body)
        except (aiohttp.ClientError, OSError) as error:
            # Not chained: aiohttp's errors hold the address of the request, and with it the caller's number.
            raise self._failure(error, repeatable) from None
        except UnicodeError:  # a name that no DNS can hold, such as one with a part of 64 letters
            raise ProviderRefused(f"{self._name}: the host name of the address cannot be used") from None

    async def _exchange(
        self, session: aiohttp.ClientSession, method: str, target: RequestTarget, headers: Mapping[str, str], body: Body
    ) -> HttpAnswer:
        self._under_way[session] = self._under_way.get(session, 0) + 1
        began = time.monotonic()
        try:
            lean = self._lean.get(session) or self._lean.setdefault(session, LeanRequests(session, _KEEP_ALIVE_S))
            if lean.takes(method, target, headers, body):
                found = await lean.send(method, target, headers, body)
                answer = self._plain(found) if isinstance(found, WholeAnswer) else await self._read_lean(found)
            else:
                answer = await self._send_odd(session, method, target.url, headers, body)
            if (tell := LOOKS_ON.get()) is not None:
                tell(HttpExchange(method, target.url, answer.status, answer.body, (time.monotonic() - began) * 1000))
            return answer
        finally:
            self._under_way[session] -= 1
            if session is not self._client:
                await self._close_unused(session)

    async def _send_odd(
        self, session: aiohttp.ClientSession, method: str, url: URL, headers: Mapping[str, str], body: Body
    ) -> HttpAnswer:
        async with session.request(method, url, data=body, headers=headers, allow_redirects=False) as response:
            return await self._read(response)

    def _plain(self, found: WholeAnswer) -> HttpAnswer:
        """Return an answer that is there already, with no more of its body than `_body` would read."""
        self._answered = self._keeps = True
        status, headers, body = found
        most = self._most_of(status)
        if len(body) > most:
            body = self._cut(status, body, most)
        return HttpAnswer(status, body, self._wait_s(headers), headers)

    async def _read_lean(self, response: LeanResponse) -> HttpAnswer:
        try:
            answer = await self._read(response)
        except BaseException:
            response.close()
            raise
        response.release()
        return answer

    async def _read(self, response: aiohttp.ClientResponse | LeanResponse) -> HttpAnswer:
        self._answered = self._keeps = True
        return HttpAnswer(response.status, await self._body(response), self._wait_s(response.headers), response.headers)

    async def _retire(self, session: aiohttp.ClientSession) -> None:
        """Ask on fresh connections from now on. What is under way on the old ones comes to its end there."""
        if session is self._client:
            self._client, self._keeps = None, False
        await self._close_unused(session)

    async def _close_unused(self, session: aiohttp.ClientSession) -> None:
        if session is not self._client and not self._under_way.get(session):
            self._under_way.pop(session, None)
            await self._close_session(session)

    def session(self) -> aiohttp.ClientSession:
        """Return the session; it is opened at the first look-up."""
        if self._client is None:
            if self._closed:
                raise ProviderUnreachable(f"{self._name}: the connection is closed")
            self._client = self._open_session()
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        self._closed = True
        retired = [one for one in self._under_way if one is not self._client]
        for session in (*retired, self._client):
            if session is not None:
                await self._close_session(session)

    async def _close_session(self, session: aiohttp.ClientSession) -> None:
        if (lean := self._lean.pop(session, None)) is not None:
            lean.close()
        await session.close()

    def _wait_s(self, headers: Mapping[str, str]) -> float | None:
        text = headers.get("Retry-After")
        return None if text is None else seconds_until(text, self._unix_time())

    async def _body(self, response: aiohttp.ClientResponse | LeanResponse) -> bytes:
        """Read as much as an answer may hold, counted after decompression; of a refusal only its beginning."""
        if (most := self._most_of(response.status)) == 0:
            return b""
        chunks, size = [], 0
        while chunk := await response.content.readany():
            chunks.append(chunk)
            size += len(chunk)
            # Counted after decompression: a small answer may unfold to gigabytes.
            if size > most:
                response.close()
                return self._cut(response.status, b"".join(chunks), most)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _most_of(self, status: int) -> int:
        # The rest of a refusal's body is not worth waiting for; its connection is closed with it. 404 is "no record".
        return self._most if status < 300 or status == 404 else self._error_bytes

    def _cut(self, status: int, body: bytes, most: int) -> bytes:
        if status < 300 or status == 404:
            raise ProviderMisread(f"{self._name}: the answer is larger than max_answer_bytes allows")
        return body[:most]

    def _failure(self, error: Exception, repeatable: bool) -> ProviderError:
        if isinstance(error, aiohttp.ClientResponseError) or isinstance(error.__cause__, ContentEncodingError):
            return ProviderMisread(f"{self._name}: the answer is not HTTP as it should be")
        if isinstance(error, aiohttp.ServerTimeoutError | TimeoutError):
            return self._unreachable(FAILURES["slow"], self._may_have_moved())
        found = FAILURES[_what_broke(error)]
        if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError):
            return self._unreachable(found, self._may_have_moved())
        return self._unreachable(found, _is_worth_another(error, repeatable))

    def _unreachable(self, found: ConnectionFailure, again: bool) -> ProviderError:
        return ProviderUnreachable(f"{self._name}: {found.says}", again, found.who, found.remedy)

    def _may_have_moved(self) -> bool:
        """Forget where the name led; tell whether it led to somebody until now, so that asking anew may help."""
        if self._client is not None and isinstance(self._client.connector, aiohttp.TCPConnector):
            self._client.connector.clear_dns_cache()
        # A server that moved is found at once by asking anew; one that never answered is not worth a second try.
        answered, self._answered = self._answered, False
        return answered

    def _open_session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            # How many requests are under way is the business of `limits`, which calls share across connections.
            limit=0,
            ssl=self._tls or True,
            keepalive_timeout=_KEEP_ALIVE_S,
            ttl_dns_cache=_DNS_CACHE_S,
        )
        return aiohttp.ClientSession(
            connector=connector,
            headers={"Accept": "application/json", "User-Agent": f"routing-engine/{__version__}"},
            # A cookie would tie one caller's look-up to the next one's.
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout_s),
            # HTTP_PROXY of some shell must not see callers' numbers.
            trust_env=False,
        )


def _is_worth_another(error: Exception, repeatable: bool) -> bool:
    """Return whether the connection broke, and nobody has tried again yet.

    A POST that asks may be repeated as a GET may, which aiohttp does not know. A GET that got no answer it has
    repeated already.
    """
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientConnectionResetError):
        return True
    broke = isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
    return broke and repeatable and not isinstance(error, aiohttp.ClientConnectorError)


def _what_broke(error: Exception) -> str:
    """Return which of `FAILURES` it is. The error's own text is not used: it may hold the caller's number."""
    cause = error.__cause__ or getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _CERTIFICATES.get(cause.verify_code, "unknown issuer")
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        return "no tls"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "no name"
    return "refused" if isinstance(error, aiohttp.ClientConnectorError) else "broken"
