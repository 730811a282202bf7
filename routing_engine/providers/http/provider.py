"""The custom middleware: one HTTP address that answers who a caller is.

Wire-compatible with PBXware's Routing Integrations: up to four parameters in the query of a GET or the JSON body of a
POST; the answer is JSON (`answers.records` says what is a record).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from urllib.parse import quote

from multidict import CIMultiDict
from yarl import URL

from routing_engine.core.model import Record
from routing_engine.core.ports import Clock, Provider, Query
from routing_engine.errors import ProviderRefused
from routing_engine.providers.answers.outcome import error_of, outcome_of_status
from routing_engine.providers.answers.records import RecordShape, read_answer, shape_of, size_of
from routing_engine.providers.answers.scopes import lacking, to_a_log_in
from routing_engine.providers.answers.values import ASIDE_BYTES, aside
from routing_engine.providers.http.settings import HttpSettings
from routing_engine.providers.net.credential import Credential, FixedCredential, ask_with
from routing_engine.providers.net.http_client import HttpAnswer, HttpClient
from routing_engine.providers.net.lean_request import RequestTarget, target_of
from routing_engine.providers.oauth.refresh import open_credential
from routing_engine.settings.integration import Model

#: PBXware's contract: both say that nobody was found.
_NO_RECORD = frozenset({204, 404})
#: An answer up to this size is read at once, whatever its field map: a sixteenth of what is read aside.
_READ_HERE = ASIDE_BYTES // 16
#: What no percent sign is needed for: RFC 3986's unreserved signs, and the comma.
_NEEDS_NOTHING = re.compile(r"[A-Za-z0-9_.\-~,]+\Z")


@dataclass(frozen=True, slots=True)
class _MiddlewareRequest:
    """A request without its credentials; `signed` is what a signature is made of."""

    target: RequestTarget
    body: bytes | None
    signed: bytes


def open_http(name: str, settings: HttpSettings, models: Mapping[str, Model], region: str, clock: Clock) -> Provider:
    """Return the provider of a middleware; it connects at the first look-up."""
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
        self._name, self._settings, self._unix_time = name, settings, unix_time
        self._shapes = {model: shape_of(name, models[model]) for model in models}
        self._client = HttpClient(
            name, settings.tls, settings.connect_timeout_s, settings.max_answer_bytes, unix_time=unix_time
        )
        # One mapping for all requests: signing and tokens copy it, everybody else shares it.
        self._headers = CIMultiDict(settings.auth.headers)
        if settings.method == "POST":
            self._headers["Content-Type"] = "application/json"
        self._target = _open_target(with_query(settings.address, settings.auth.query), settings.method)
        oauth = settings.auth.oauth
        self._credential: Credential = (
            FixedCredential({}) if oauth is None else open_credential(name, oauth, self._client.session, clock)
        )

    async def find(self, query: Query) -> Sequence[Record]:
        """Return the records of a caller or an input, as the port `Provider` says."""
        shape = self._shapes[query.model]
        pairs = parameters(query, self._settings, shape)
        if not pairs:
            raise ProviderRefused(f"{self._name}: there is nothing to search by; look at 'parameters'")
        request = self._request(pairs)
        if self._settings.oauth is None:  # nothing to wait for, and nothing newer to be had
            answer = await self._send(request, None)
        else:
            answer = await ask_with(self._credential, lambda values: self._send_with(request, values), _refuses_us)
        if answer.status in _NO_RECORD:
            return ()
        if 200 <= answer.status < 300:
            content_type = answer.headers.get("Content-Type", "")
            if len(answer.body) <= _READ_HERE:
                return read_answer(answer.body, shape, content_type)
            return await aside(size_of(answer.body, shape), partial(read_answer, answer.body, shape, content_type))
        outcome = outcome_of_status(answer.status, answer.wait_s is not None)
        scopes = lacking(None, answer.headers) if answer.status in (401, 403) else []
        code = to_a_log_in(answer.status, answer.headers)
        raise error_of(outcome, f"{self._name}: the server", answer.status, code, answer.wait_s, scopes)

    async def close(self) -> None:
        """Close the connections."""
        await self._credential.close()
        await self._client.close()

    def _request(self, pairs: Mapping[str, str]) -> _MiddlewareRequest:
        if self._settings.method == "POST":
            body = json.dumps(pairs, separators=(",", ":")).encode()
            # Signed are the bytes as they are sent; written again they might differ in a space.
            return _MiddlewareRequest(self._target, body, body)
        path_qs = self._target.path_qs + _query_of(pairs.items())
        return _MiddlewareRequest(RequestTarget(self._target.place, path_qs), None, path_qs.partition("?")[2].encode())

    def _send_with(self, request: _MiddlewareRequest, values: Mapping[str, str]) -> Awaitable[HttpAnswer]:
        return self._send(request, values.get("access_token"))

    def _send(self, request: _MiddlewareRequest, token: str | None) -> Awaitable[HttpAnswer]:
        headers = self._headers_of(request, token)
        return self._client.send(self._settings.method, request.target, headers, request.body, asks=True)

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


def _refuses_us(answer: HttpAnswer) -> bool:
    return answer.status == 401


def parameters(query: Query, settings: HttpSettings, shape: RecordShape) -> dict[str, str]:
    """Return the parameters of a look-up, in the order they are sent. A hidden number is not among them.

    A search by the caller sends `customer_id`; every other one also the value, as `customer_input`, and the field it
    is searched in. The result is empty when nothing is left to search by: then nobody may be asked, because the
    answer would be anybody's.
    """
    names, number = settings.parameters, query.number
    searched = "" if query.by_caller else query.value
    field = "" if query.by_caller or not query.field else shape.their_name(query.field)
    # Without what is searched the answer would be anybody's record.
    asked = bool(number if query.by_caller else searched)
    if not asked or not ((names.customer_id and number) or (names.customer_input and searched)):
        return {}
    pairs = (
        (names.customer_id, number),
        (names.field_name, shape.field_name),
        (names.customer_input, searched),
        (names.customer_input_field_name, field),
    )
    return {name: value for name, value in pairs if name and value}


def with_query(address: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Append parameters to an address that may have some; every character that means something is percent-encoded.

    The comma stays: between the names of `field_name` it separates, as PBXware writes it.
    """
    query = _query_of(pairs)
    if not query:
        return address
    # The operator's own query stays in front: middlewares are found by it.
    if "?" not in address:
        return f"{address}?{query}"
    return address + query if address[-1] in "?&" else f"{address}&{query}"


def _query_of(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join([f"{_encoded_name(name)}={_encoded(value)}" for name, value in pairs])


def _open_target(address: str, method: str) -> RequestTarget:
    """Return where to ask; of a GET up to where its parameters follow. Once: reading an address takes 5 us."""
    if method == "POST":
        return target_of(URL(address, encoded=True))
    place, path_qs = target_of(URL(with_query(address, [("x", "x")]), encoded=True))
    return RequestTarget(place, path_qs.removesuffix("x=x"))


def _encoded(text: str) -> str:
    # `quote` looks at each sign in Python.
    return text if _NEEDS_NOTHING.match(text) else quote(text, safe=",", errors="replace")


@lru_cache(maxsize=256)
def _encoded_name(name: str) -> str:
    """Names are few and come back with every request; values are the callers' and are not kept."""
    return _encoded(name)
