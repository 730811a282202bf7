"""OAuth2 client credentials: one token for all, renewed in time, and what its server may do wrong."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from routing_engine.errors import ProviderError, ProviderMisread, ProviderRefused, ProviderUnreachable

from .conftest import SECRETS, Middleware, erp, serving
from .test_http_wire import BY_CALLER

pytestmark = pytest.mark.io


@dataclass
class TokenServer:
    """Returns numbered tokens."""

    address: str = ""
    status: int = 200
    answer: bytes | None = None
    expires_in: object = 1000
    gate: asyncio.Event | None = None

    def __post_init__(self) -> None:
        self.asked: list[tuple[str | None, dict[str, str]]] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append((request.headers.get("Authorization"), dict(parse_qsl(await request.text()))))
        if self.gate is not None:
            await self.gate.wait()
        body = {"access_token": f"token-{len(self.asked)}", "token_type": "Bearer", "expires_in": self.expires_in}
        return web.Response(status=self.status, body=self.answer or json.dumps(body).encode())


@pytest.fixture
async def tokens() -> AsyncIterator[TokenServer]:
    found = TokenServer()
    async with serving(found.handle) as found.address:
        yield found


def oauth(tokens: TokenServer, more: str = "") -> str:
    keys = f"token_url: {tokens.address}, client_id: 'a b', client_secret: '${{PASSWORD}}', scope: crm.read{more}"
    return f"auth: {{headers: {{X-Api-Key: '${{TOKEN}}'}}, oauth2: {{{keys}}}}}"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_many_look_ups_fetch_one_token(middleware: Middleware, tokens: TokenServer) -> None:
    provider = erp(middleware.address, oauth(tokens))
    await asyncio.gather(*(provider.find(BY_CALLER) for _ in range(20)))
    await provider.close()
    user = base64.b64encode(b"a+b:pa%3Ass+w%C3%B6rd").decode()
    assert tokens.asked == [(f"Basic {user}", {"grant_type": "client_credentials", "scope": "crm.read"})]
    assert {seen.headers["Authorization"] for seen in middleware.seen} == {"Bearer token-1"}


async def test_credentials_may_go_in_the_body(middleware: Middleware, tokens: TokenServer) -> None:
    provider = erp(middleware.address, oauth(tokens, ", credentials_in: body"))
    await provider.find(BY_CALLER)
    await provider.close()
    ((header, form),) = tokens.asked
    assert (header, form["client_id"], form["client_secret"]) == (None, "a b", SECRETS["PASSWORD"])


async def test_a_token_is_renewed_before_it_ends_without_a_look_up_waiting(
    middleware: Middleware, tokens: TokenServer
) -> None:
    clock = Clock()
    provider = erp(middleware.address, oauth(tokens), clock=clock)
    await provider.find(BY_CALLER)
    clock.now, tokens.gate = 950.0, asyncio.Event()
    await provider.find(BY_CALLER)
    while len(tokens.asked) < 2:
        await asyncio.sleep(0)
    tokens.gate.set()
    clock.now = 1000.0
    await provider.find(BY_CALLER)
    await provider.close()
    sent = [seen.headers["Authorization"] for seen in middleware.seen]
    assert sent == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


async def test_a_refused_token_is_renewed_once(middleware: Middleware, tokens: TokenServer) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({}, status=401 if request.headers["Authorization"] == "Bearer token-1" else 200)

    middleware.answer = answer
    provider = erp(middleware.address, oauth(tokens))
    assert list(await provider.find(BY_CALLER)) == []
    await provider.close()
    assert (len(tokens.asked), len(middleware.seen)) == (2, 2)


async def test_a_token_that_is_always_refused_is_an_error(middleware: Middleware, tokens: TokenServer) -> None:
    middleware.status = 401
    provider = erp(middleware.address, oauth(tokens))
    with pytest.raises(ProviderRefused, match="refused our credentials"):
        await provider.find(BY_CALLER)
    await provider.close()
    assert (len(tokens.asked), len(middleware.seen)) == (2, 2)


async def test_a_caller_who_hangs_up_leaves_the_token_to_the_others(
    middleware: Middleware, tokens: TokenServer
) -> None:
    tokens.gate = asyncio.Event()
    provider = erp(middleware.address, oauth(tokens))
    first, second = (asyncio.create_task(provider.find(BY_CALLER)) for _ in range(2))
    while not tokens.asked:
        await asyncio.sleep(0)
    first.cancel()
    tokens.gate.set()
    assert len(await second) == 1
    assert first.cancelled()
    await provider.close()


@pytest.mark.parametrize(
    ("status", "answer", "kind"),
    [
        (200, b"<html>", ProviderMisread),
        (200, b"[]", ProviderMisread),
        (200, b'{"access_token": ""}', ProviderMisread),
        (200, b'{"access_token": "a\\r\\nX-Evil: 1"}', ProviderMisread),
        (200, b'{"access_token": 7}', ProviderMisread),
        (400, b'{"error": "invalid_client"}', ProviderRefused),
        (401, b"", ProviderRefused),
        (302, b"", ProviderRefused),
        (503, b"", ProviderUnreachable),
    ],
)
async def test_without_a_token_nobody_is_asked(
    middleware: Middleware, tokens: TokenServer, status: int, answer: bytes, kind: type[ProviderError]
) -> None:
    tokens.status, tokens.answer = status, answer
    provider = erp(middleware.address, oauth(tokens))
    with pytest.raises(kind, match="erp: the token address") as caught:
        await provider.find(BY_CALLER)
    await provider.close()
    assert type(caught.value) is kind
    assert middleware.seen == []


@pytest.mark.parametrize("expires_in", [None, "1000", 0, -1, "soon", True, 1e300])
async def test_a_strange_lifetime_does_not_matter(
    middleware: Middleware, tokens: TokenServer, expires_in: object
) -> None:
    tokens.expires_in = expires_in
    provider = erp(middleware.address, oauth(tokens), clock=Clock())
    assert len(await provider.find(BY_CALLER)) == 1
    await provider.close()
