"""Log-in over OpenID Connect: with a real provider in a process of its own, and with one that lies."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from yarl import URL

from routing_engine.settings.log_in import LogInKeys, OidcKeys
from routing_engine.web.oidc import OidcRefused, person_of
from routing_engine.web.oidc_api import ON_THE_WAY

from .people import HEADER, USERS, Browser, PeopleWeb, configuration, people_web

pytestmark = pytest.mark.io

#: In a process of its own: its libraries are not ours, and warn.
REAL = """
import sys
from oidc_provider_mock import User, run_server_in_thread
users = [User(sub='x1', claims={'email': 'Bert@example.com', 'email_verified': True})]
with run_server_in_thread(user_claims=users, require_nonce=True) as server:
    print(server.server_port, flush=True)
    sys.stdin.read()
"""


@asynccontextmanager
async def real_provider() -> AsyncIterator[str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-c", REAL, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            port = int(await process.stdout.readline())
        yield f"http://localhost:{port}"
    finally:
        process.stdin.close()
        await process.wait()


def with_provider(issuer: str, **more: Any) -> Any:
    return configuration(log_in=LogInKeys(oidc=OidcKeys(issuer, "engine", "client secret", **more)))


async def at_the_provider(site: PeopleWeb, browser: Browser, **form: str) -> URL:
    """Go to the provider, log in there, and return where it sends the browser."""
    status, away = await browser.ask("GET", "/v1/session/oidc", headers={})
    assert status == 303
    async with site.http.post(away["location"], data=form, allow_redirects=False) as answer:
        return URL(answer.headers["Location"])


async def came_back(browser: Browser, back: URL) -> str:
    status, away = await browser.ask("GET", back.raw_path_qs, headers={})
    assert status == 303
    return str(away["location"])


async def test_a_real_provider_logs_people_in_whom_users_yaml_names(tmp_path: Path) -> None:
    async with real_provider() as issuer, people_web(tmp_path) as site:
        site.people.change(with_provider(issuer, title="Example Ltd."))
        assert (await site.browser().ask("GET", "/v1/session"))[1] == {
            "log_in": ["password", "oidc"],
            "title": "Example Ltd.",
        }
        for sub, person in (("anna@example.com", "anna"), ("x1", "bert")):
            browser = site.browser()
            back = await at_the_provider(site, browser, sub=sub)
            assert await came_back(browser, back) == "/"
            assert (await browser.ask("GET", "/v1/me"))[1]["user"]["key"] == person
        stranger = site.browser()
        back = await at_the_provider(site, stranger, sub="mallory@example.com")
        assert await came_back(stranger, back) == "/log-in?error=oidc_unknown"
        assert (await stranger.ask("GET", "/v1/me"))[0] == 401
        refused = site.browser()
        back = await at_the_provider(site, refused, action="deny")
        assert (await came_back(refused, back)).startswith("/log-in?error=oidc_")
        await site.database.flush()
        assert [one.what for one in await site.people.audit.entries("anna", 0.0, 1)] == ["logged in: oidc"]


# A provider that lies

KEY, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
JWK = {**json.loads(RSAAlgorithm.to_jwk(KEY.public_key())), "kid": "k1", "alg": "RS256", "use": "sig"}


@dataclass
class Liar:
    """A provider whose answers a test bends; it looks at PKCE and at the client's secret as a strict one does."""

    url: str = ""
    asked: dict[str, str] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    bend: Callable[[dict[str, Any]], str | None] = lambda claims: None
    more: dict[str, Any] = field(default_factory=dict)
    found: dict[str, Any] = field(default_factory=dict)
    keys: int = 0

    async def discovery(self, _: web.Request) -> web.Response:
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        said = {name: f"{self.url}/{path}" for name, path in names.items()}
        return web.json_response({"issuer": self.url, "userinfo_endpoint": f"{self.url}/me", **said, **self.found})

    async def authorize(self, request: web.Request) -> web.Response:
        self.asked = dict(request.query)
        raise web.HTTPFound(URL(self.asked["redirect_uri"]).with_query(code="c1", state=self.asked["state"]))

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(str(form["code_verifier"]).encode()).digest()).rstrip(b"=")
        wanted = "Basic " + base64.b64encode(b"engine:client+secret").decode()
        if challenge.decode() != self.asked["code_challenge"] or request.headers["Authorization"] != wanted:
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": "engine",
            "sub": "s1",
            "exp": now + 60,
            "iat": now,
            "nonce": self.asked["nonce"],
        }
        claims |= {"email": "anna@example.com", **self.claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        signed = self.bend(claims) or jwt.encode(claims, KEY, "RS256", headers={"kid": "k1"})
        return web.json_response({"id_token": signed, "access_token": "a1", "token_type": "Bearer"})

    async def me(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer a1"
        return web.json_response({"sub": "s1", **self.more})

    async def jwks(self, _: web.Request) -> web.Response:
        self.keys += 1
        return web.json_response({"keys": [JWK]})


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    found, app = Liar(), web.Application()
    rows = {"authorize": found.authorize, "me": found.me, "jwks": found.jwks}
    app.add_routes([web.get(f"/{path}", answer) for path, answer in rows.items()])
    app.add_routes([web.post("/token", found.token), web.get("/.well-known/openid-configuration", found.discovery)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


@pytest.fixture
async def site(tmp_path: Path, liar: Liar) -> AsyncIterator[PeopleWeb]:
    async with people_web(tmp_path) as found:
        found.people.change(with_provider(liar.url))
        yield found


async def way_back(site: PeopleWeb, browser: Browser) -> URL:
    _, away = await browser.ask("GET", "/v1/session/oidc", headers={})
    async with site.http.get(away["location"], allow_redirects=False) as answer:
        return URL(answer.headers["Location"])


async def logged_in(site: PeopleWeb, browser: Browser | None = None) -> str:
    browser = browser or site.browser()
    return await came_back(browser, await way_back(site, browser))


async def test_with_pkce_state_and_nonce_a_strict_provider_is_content(site: PeopleWeb, liar: Liar) -> None:
    assert await logged_in(site) == "/"
    assert (liar.asked["response_type"], liar.asked["code_challenge_method"]) == ("code", "S256")
    assert liar.asked["redirect_uri"] == f"{site.url}/v1/session/oidc/back"


def unsigned(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, None, "none", headers={"kid": "k1"})  # type: ignore[arg-type]


def of_another_key(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, OTHER, "RS256", headers={"kid": "k1"})


def of_an_unknown_key(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, OTHER, "RS256", headers={"kid": "k2"})


def of_the_public_key_as_secret(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, JWK["n"], "HS256", headers={"kid": "k1"})


def nothing_at_all(_: dict[str, Any]) -> str:
    return "a.b.c"


@pytest.mark.parametrize(
    ("claims", "bend"),
    [
        ({"iss": "https://evil.example.com"}, None),
        ({"aud": "another"}, None),
        ({"aud": ["engine", "another"], "azp": "another"}, None),
        ({"exp": 1_000_000}, None),
        ({"iat": None}, None),
        ({"exp": None}, None),
        ({"nonce": "made up"}, None),
        ({"nonce": None}, None),
        *(
            ({}, one)
            for one in (unsigned, of_another_key, of_an_unknown_key, of_the_public_key_as_secret, nothing_at_all)
        ),
    ],
)
async def test_a_token_that_does_not_hold_lets_nobody_in(
    site: PeopleWeb, liar: Liar, claims: dict[str, Any], bend: Callable[[dict[str, Any]], str] | None
) -> None:
    liar.claims = claims
    if bend is not None:
        liar.bend = bend
    browser = site.browser()
    assert await logged_in(site, browser) == "/log-in?error=oidc_failed"
    assert (await browser.ask("GET", "/v1/me"))[0] == 401


@pytest.mark.parametrize(
    ("claims", "fault"),
    [
        ({"email": "nobody@example.com"}, "oidc_unknown"),
        ({"email_verified": False}, "oidc_unknown"),
        ({"email_verified": "true"}, "oidc_unknown"),
        ({"email": None}, "oidc_unknown"),
        ({"email": ["anna@example.com"]}, "oidc_unknown"),
    ],
)
async def test_who_is_not_known_is_not_let_in(site: PeopleWeb, liar: Liar, claims: dict[str, Any], fault: str) -> None:
    liar.claims = claims
    assert await logged_in(site) == f"/log-in?error={fault}"


async def test_what_the_token_does_not_say_is_asked_for_and_of_the_same_person(site: PeopleWeb, liar: Liar) -> None:
    liar.claims, liar.more = {"email": None}, {"email": "anna@example.com"}
    assert await logged_in(site) == "/"
    liar.more["sub"] = "s2"
    assert await logged_in(site) == "/log-in?error=oidc_failed"


async def test_an_answer_that_another_browser_asked_for_logs_nobody_in(site: PeopleWeb) -> None:
    mallory, anna = site.browser(), site.browser()
    back = await way_back(site, mallory)
    assert await came_back(anna, back) == "/log-in?error=oidc_late"
    await way_back(site, anna)  # she is on the way herself, and is led to his answer
    assert await came_back(anna, back) == "/log-in?error=oidc_late"
    assert (await anna.ask("GET", "/v1/me"))[0] == 401


@pytest.mark.parametrize(
    "query", ["", "?code=c1", "?state=x", "?code=c1&state={s}&iss=https://e.example", "?error=x&state={s}"]
)
async def test_an_answer_that_does_not_fit_logs_nobody_in(site: PeopleWeb, query: str) -> None:
    anna = site.browser()
    state = (await way_back(site, anna)).query["state"]
    found = await came_back(anna, URL(f"/v1/session/oidc/back{query.replace('{s}', state)}"))
    assert found.startswith("/log-in?error=oidc_")


async def test_what_lies_in_the_browser_is_encrypted_and_for_no_script(site: PeopleWeb, liar: Liar) -> None:
    anna = site.browser()
    await way_back(site, anna)
    kept = anna.cookies[ON_THE_WAY]
    assert "; HttpOnly; SameSite=Lax" in anna.answered[0]
    assert not any(
        liar.asked[name] in base64.urlsafe_b64decode(kept + "==").decode("latin-1") for name in ("state", "nonce")
    )
    anna.cookies[ON_THE_WAY] = kept[:-4] + "AAAA"
    assert await came_back(anna, URL("/v1/session/oidc/back?code=c1&state=x")) == "/log-in?error=oidc_late"


@pytest.mark.parametrize(
    "found",
    [{"issuer": "https://evil.example.com"}, {"token_endpoint": "http://evil.example.com/"}, {"jwks_uri": None}],
)
async def test_a_provider_that_is_not_what_it_should_be_is_not_gone_to(
    site: PeopleWeb, liar: Liar, found: dict[str, Any]
) -> None:
    liar.found = found
    assert (await site.browser().ask("GET", "/v1/session/oidc"))[1] == {"location": "/log-in?error=oidc_failed"}


async def test_a_provider_that_is_down_is_told_and_no_fault_of_ours(site: PeopleWeb) -> None:
    site.people.change(with_provider("http://127.0.0.1:9"))
    assert (await site.browser().ask("GET", "/v1/session/oidc"))[1] == {"location": "/log-in?error=oidc_failed"}


async def test_made_up_keys_do_not_make_us_ask_again_and_again(site: PeopleWeb, liar: Liar) -> None:
    liar.bend = of_an_unknown_key
    for _ in range(3):
        await logged_in(site)
    assert liar.keys == 1
    site.pass_by(61)
    await logged_in(site)
    assert liar.keys == 2  # a key may be new


async def test_the_way_to_the_provider_is_not_gone_without_end(site: PeopleWeb) -> None:
    answers = [(await site.browser().ask("GET", "/v1/session/oidc"))[0] for _ in range(31)]
    assert answers == [303] * 30 + [429]


async def test_where_there_is_no_provider_it_is_said(site: PeopleWeb) -> None:
    site.people.change(configuration())
    assert (await site.browser().ask("GET", "/v1/session/oidc"))[0] == 404
    assert (await site.browser().ask("GET", "/v1/session/oidc/back?code=c"))[0] == 404


async def test_the_address_of_engine_yaml_is_the_way_back(site: PeopleWeb, liar: Liar) -> None:
    found = with_provider(liar.url)
    settings = replace(found.settings, pages=replace(found.settings.pages, address="https://calls.example.com"))
    site.people.change(replace(found, settings=settings))
    _, away = await site.browser().ask("GET", "/v1/session/oidc", headers={**HEADER, "Host": "evil.example.com"})
    assert URL(away["location"]).query["redirect_uri"] == "https://calls.example.com/v1/session/oidc/back"


def test_two_people_of_one_address_are_nobody() -> None:
    both = {**USERS, "twin": replace(USERS["anna"], key="twin")}
    with pytest.raises(OidcRefused, match="more than one"):
        person_of(OidcKeys("https://x", "engine"), {"email": "anna@example.com"}, both)


def test_a_person_may_be_known_by_the_name_at_the_provider() -> None:
    settings = OidcKeys("https://x", "engine", person="preferred_username")
    assert person_of(settings, {"preferred_username": "anna"}, USERS).key == "anna"
