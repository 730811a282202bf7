"""How the middleware's integration proves who it is, as it arrives at a real server; and that no secret shows."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from .conftest import Middleware, erp
from .test_http_wire import BY_CALLER, BY_INPUT

pytestmark = pytest.mark.io

STATIC = [
    ("", {}),
    ("auth: none", {}),
    ("auth: {bearer: '${TOKEN}'}", {"Authorization": "Bearer s3cret-t0ken"}),
    (
        "auth: {basic: {user: engine, password: '${PASSWORD}'}}",
        {"Authorization": "Basic " + base64.b64encode("engine:pa:ss wörd".encode()).decode()},
    ),
    ("auth: {api_key: {name: X-Key, value: '${TOKEN}'}}", {"X-Key": "s3cret-t0ken"}),
    (
        "auth: {headers: {X-Tenant: '7', X-Auth-Token: 'a ${TOKEN}'}, bearer: '${TOKEN}'}",
        {"X-Tenant": "7", "X-Auth-Token": "a s3cret-t0ken", "Authorization": "Bearer s3cret-t0ken"},
    ),
]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("text", "headers"), STATIC)
async def test_these_headers_arrive(middleware: Middleware, text: str, headers: dict[str, str], method: str) -> None:
    provider = erp(middleware.address, f"method: {method}\n{text}")
    await provider.find(BY_CALLER)
    await provider.close()
    (seen,) = middleware.seen
    own = {"Host", "Accept", "Accept-Encoding", "User-Agent", "Content-Type", "Content-Length"}
    assert {name: value for name, value in seen.headers.items() if name not in own} == headers


async def test_a_key_in_the_query_is_encoded(middleware: Middleware) -> None:
    for method in ("GET", "POST"):
        provider = erp(
            middleware.address,
            f"method: {method}\nauth: {{api_key: {{name: k, value: '${{PASSWORD}}', in: query}}}}",
            model="{}",
        )
        await provider.find(BY_CALLER)
        await provider.close()
    get, post = (seen.path for seen in middleware.seen)
    assert post == "/customer?k=pa%3Ass%20w%C3%B6rd"
    assert get == post + "&customer_id=%2B436641234567"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
async def test_a_signature_covers_time_and_payload(middleware: Middleware, algorithm: str) -> None:
    auth = f"auth: {{hmac: {{secret: '${{TOKEN}}', header: X-Sig, algorithm: {algorithm}}}}}"
    for method in ("GET", "POST"):
        provider = erp(middleware.address, f"method: {method}\n{auth}", unix_time=lambda: 1_800_000_000.9)
        await provider.find(BY_INPUT)
        await provider.close()
    for seen in middleware.seen:
        payload = seen.body or seen.path.partition("?")[2].encode()
        expected = hmac.new(b"s3cret-t0ken", b"1800000000." + payload, getattr(hashlib, algorithm)).hexdigest()
        assert (seen.headers["X-Timestamp"], seen.headers["X-Sig"]) == ("1800000000", expected)
