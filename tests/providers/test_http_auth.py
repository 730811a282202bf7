"""How the middleware's integration proves who it is, as it arrives at a real server; and that no secret shows."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from routing_engine.errors import ProviderError, ProviderMisread, ProviderRefused, ProviderUnreachable

from .conftest import SECRETS, Middleware, erp, serving, settings_of
from .test_http_wire import BY_CALLER, BY_INPUT

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


# ---------------------------------------------------------------------------------------------------- OAuth2


@dataclass
class TokenServer:
    """Gives numbered tokens."""

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


# ------------------------------------------------------------------------------------------------------- TLS


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority that signed a server for 127.0.0.1 and a client, all by the openssl of this machine."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    folder = tmp_path_factory.mktemp("tls")
    key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1")
    commands = [f"req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca -days 30"]
    for name in ("server", "client"):
        commands += [
            f"req {key} -keyout {name}.key -out {name}.csr -subj /CN={name}",
            f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem -days 30 -extfile san",
        ]
    commands += ["ec -in client.key -aes128 -passout pass:x -out locked.key"]
    for command in commands:
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
async def tls_middleware(certificates: Path) -> AsyncIterator[str]:
    """A middleware that wants a client certificate of the authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / "ca.pem")
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    context.verify_mode = ssl.CERT_OPTIONAL

    async def answer(request: web.BaseRequest) -> web.Response:
        assert request.transport is not None
        peer = request.transport.get_extra_info("peercert") or {"subject": ((("commonName", "nobody"),),)}
        return web.json_response({"id": 1, "full_name": peer["subject"][0][0][1]})

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("tls: {ca: ca.pem}", "nobody"),
        ("tls: {verify: false}", "nobody"),
        ("auth: {mtls: {certificate: client.pem, key: client.key, ca: ca.pem}}", "client"),
        ("tls: {ca: ca.pem}\nauth: {mtls: {certificate: client.pem, key: client.key}}", "client"),
    ],
)
async def test_tls_as_it_is_configured(tls_middleware: str, certificates: Path, text: str, name: str) -> None:
    provider = erp(tls_middleware, text, folder=certificates)
    (record,) = await provider.find(BY_CALLER)
    await provider.close()
    assert record.fields["name"] == name


async def test_an_unknown_certificate_is_refused(tls_middleware: str) -> None:
    provider = erp(tls_middleware)
    with pytest.raises(ProviderUnreachable, match="look at the certificates"):
        await provider.find(BY_CALLER)
    await provider.close()


@pytest.mark.parametrize("key", ["locked.key", "server.key", "ca.pem"])
def test_a_key_that_cannot_be_used_is_noted_at_once(certificates: Path, key: str) -> None:
    text = f"address: https://e.x/\nauth: {{mtls: {{certificate: client.pem, key: {key}}}}}"
    assert settings_of(text, certificates)[1] == ["a certificate or key cannot be used"]


# -------------------------------------------------------------------------------------------------- settings

FAULTS = [
    ("method: GET", "'address' is missing"),
    ("address: ftp://e.x/", "'address' is no http or https address"),
    ("address: //e.x/", "'address' is no http or https address"),
    ("address: https://e.x:99999/", "'address' is no http or https address"),
    (
        "address: https://me:pw@e.x/",
        "'address' holds a user or a password: they belong to auth: {basic: {user, password}}",
    ),
    ("address: https://e.x/#a", "'address' ends in a fragment (#), which is never sent"),
    ("address: https://e.x/ö", "'address' holds a space or a character that is not ASCII"),
    ("address: https://e.x/\nmethod: PUT", "'method' cannot be 'PUT'"),
    ("address: https://e.x/\nnumber_form: E164", "'number_form' cannot be 'E164'"),
    ("address: https://e.x/\nmax_answer_bytes: 0", "'max_answer_bytes' must be a number from 1024"),
    ("address: https://e.x/\ntimeout: 3", "the integration 'erp' has no key 'timeout'"),
    ("address: https://e.x/\nparameters: {preset: voice}", "'preset' cannot be 'voice'"),
    ("address: https://e.x/\nparameters: {customer: x}", "'parameters' has no key 'customer'"),
    ("address: https://e.x/\nparameters: {customer_id: }", "'customer_id' has no value"),
    ("address: https://e.x/\nparameters: {customer_id: field_name}", "the parameter 'field_name' would be sent twice"),
    ("address: https://e.x/?customer_id=1", "the parameter 'customer_id' would be sent twice"),
    ("address: https://e.x/\nauth: {bearer: s3cret-t0ken}", "'bearer' holds a secret in plain text"),
    ("address: https://e.x/\nauth: {bearer: '${UNSET}'}", "the environment variable UNSET is not set"),
    ("address: https://e.x/\nauth: {bearer: '${BREAK}'}", "the value of the header 'Authorization' cannot be sent"),
    ("address: https://e.x/\nauth: {headers: {X-A: '${BREAK}'}}", "the value of the header 'X-A' cannot be sent"),
    ("address: https://e.x/\nauth: {headers: {X-Token: s3cret-t0ken}}", "'X-Token' holds a secret in plain text"),
    ("address: https://e.x/\nauth: {headers: {'X A': b}}", "the header 'X A' cannot be set"),
    ("address: https://e.x/\nauth: {headers: {Accept: text/html}}", "the header 'Accept' cannot be set"),
    ("address: https://e.x/\nauth: {hmac: {secret: '${TOKEN}', header: 'a:'}}", "the header 'a:' cannot be set"),
    ("address: https://e.x/\nauth: {api_key: {value: '${TOKEN}'}}", "'name' is missing"),
    ("address: https://e.x/\nauth: {api_key: {name: k, value: '${TOKEN}', in: cookie}}", "'in' cannot be 'cookie'"),
    ("address: https://e.x/\nauth: {oauth2: {token_url: https://e.x/}}", "'client_secret' is missing"),
    ("address: https://e.x/\nauth: {digest: x}", "'auth' has no key 'digest'"),
    ("address: https://e.x/\nauth: token", "'auth' must be a mapping of keys"),
    (
        "address: https://e.x/\nauth: {bearer: '${TOKEN}', basic: {user: a, password: '${PASSWORD}'}}",
        "'auth' has basic and bearer at once",
    ),
    (
        "address: https://e.x/\nauth: {bearer: '${TOKEN}', headers: {authorization: '${TOKEN}'}}",
        "'auth' sets the header 'authorization' twice",
    ),
    ("address: https://e.x/\ntls: {ca: missing.pem}", "the file 'missing.pem' of 'ca' is not there"),
    ("address: https://e.x/\nmodels: {contact: {fields: {name: $.a b}}}", "the field 'name' is no JSONPath: '$.a b'"),
]


@pytest.mark.parametrize(("text", "sentence"), FAULTS)
def test_a_fault_in_the_settings_is_noted_without_its_secret(
    text: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SECRETS, "BREAK", "a\r\nX-Evil: s3cret-t0ken")
    problems = settings_of(text)[1]
    assert any(problem.startswith(sentence) for problem in problems), problems
    assert "s3cret" not in str(problems)


def test_settings_do_not_show_their_secrets() -> None:
    text = "address: 'https://e.x/?key=${TOKEN}'\nauth: {bearer: '${TOKEN}', hmac: {secret: '${TOKEN}'}}"
    settings, problems = settings_of(text)
    assert problems == []
    assert "s3cret" not in repr(settings)
