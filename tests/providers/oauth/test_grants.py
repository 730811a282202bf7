"""Ways to a token that need no person, and what each sends."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from routing_engine.errors import ProviderRefused
from routing_engine.providers.oauth.tokens import make_key

from .conftest import Site, read
from .vendor import CLIENT, JWT_BEARER, SECRET

pytestmark = pytest.mark.io

HEADER = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
MACHINE = "grants: client_credentials\n"
PASSWORD = "grants: password\nclient_in: body\n"
ANNA = "username: anna\npassword: '${PASSWORD}'"


async def test_client_credentials_go_in_the_header(site: Site) -> None:
    credential = site.credential(site.settings(MACHINE + "scopes: [a, b]"))
    assert await credential.values() == {"access_token": "access-1"}
    form = {"grant_type": "client_credentials", "scope": "a b", "authorization": HEADER}
    assert site.vendor.asked == [form]


async def test_credentials_parameters_and_json_as_the_description_says(site: Site) -> None:
    plan = MACHINE + "client_in: body\nbody: json\ntoken: {platform: '{settings.domain}'}\nscope_separator: ','\n"
    await site.credential(site.settings(plan + "scopes: {client_credentials: [a, b]}")).values()
    form = {"grant_type": "client_credentials", "scope": "a,b", "platform": "acme", "authorization": ""}
    assert site.vendor.asked == [form | {"client_id": CLIENT, "client_secret": SECRET}]


async def test_without_a_key_a_machine_keeps_its_token_in_memory(site: Site) -> None:
    settings = site.settings(MACHINE)
    await site.credential(settings).values()
    await site.credential(settings).values()
    assert len(site.vendor.asked) == 2
    assert list(site.folder.iterdir()) == []


async def test_eight_look_ups_of_a_machine_without_a_key_fetch_one_token(site: Site) -> None:
    credential = site.credential(site.settings(MACHINE))
    await asyncio.gather(*(credential.values() for _ in range(8)))
    assert len(site.vendor.asked) == 1


async def test_with_a_key_a_machine_s_token_outlives_a_restart(site: Site) -> None:
    make_key(site.folder, "")
    settings = site.settings(MACHINE)
    await site.credential(settings).values()
    assert await site.credential(settings).values() == {"access_token": "access-1"}
    assert len(site.vendor.asked) == 1


async def test_a_machine_with_a_broken_key_works_in_memory(site: Site) -> None:
    settings = site.settings(MACHINE, key="no key at all")
    assert await site.credential(settings).values() == {"access_token": "access-1"}


async def test_a_machine_that_is_refused_asks_again_after_a_minute(site: Site) -> None:
    site.vendor.status, site.vendor.body = 401, b'{"error": "invalid_client"}'
    credential = site.credential(site.settings(MACHINE))
    for _ in range(3):
        with pytest.raises(ProviderRefused, match="client_id and client_secret"):
            await credential.values()
    assert len(site.vendor.asked) == 1
    site.vendor.status, site.clock.now_s = 0, site.clock.now_s + 61
    assert await credential.values() == {"access_token": "access-1"}


async def test_a_password_refreshes_and_begins_anew_when_that_is_refused(site: Site) -> None:
    credential = site.credential(site.settings(PASSWORD, ANNA))
    await credential.values()
    site.clock.now_s += 4000
    await credential.values()
    site.vendor.good, site.clock.now_s = set(), site.clock.now_s + 4000
    assert await credential.values() == {"access_token": "access-3"}
    asked = [form["grant_type"] for form in site.vendor.asked]
    assert asked == ["password", "refresh_token", "refresh_token", "password"]


async def test_an_assertion_is_signed_for_the_token_address(site: Site) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = site.folder / "key.pem"
    pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    site.vendor.public_key = key.public_key()
    own = f"private_key: {{file: {pem}}}\nuser: anna@example.com"
    settings = site.settings("grants: jwt_bearer\nscopes: [api]", own)
    assert await site.credential(settings).values() == {"access_token": "access-1"}
    (form,) = site.vendor.asked
    assert (form["grant_type"], "scope" in form) == (JWT_BEARER, False)
    assert "PRIVATE" not in repr(settings)


@pytest.mark.parametrize(
    ("plan", "own", "sentence"),
    [
        ("grants: client_credentials", "client_id: a", "'client_secret' is missing"),
        ("grants: password", "client_id: a", "'password' is missing"),
        ("grants: jwt_bearer", "client_id: a", "'private_key' is missing"),
        ("grants: jwt_bearer", "client_id: a\nuser: b\nprivate_key: '${REFRESH}'", "'private_key' is not an RSA key"),
        ("grants: client_credentials", "client_id: a\nuser: b\nclient_secret: '${REFRESH}'", "'user' has no meaning"),
        ("grants: client_credentials", "grant: password", "'grant' cannot be 'password'"),
        ("", "client_id: a\nredirect_url: ftp://x", "'redirect_url' is not an http or https address"),
        ("", "client_secret: plain", "'client_secret' holds a secret in plain text"),
        ("", "{}", "'client_id' is missing"),
        ("", "client_id: a\nclient_idd: b", "'oauth2' has no key 'client_idd'"),
    ],
)
def test_what_an_operator_writes_is_checked(tmp_path, plan: str, own: str, sentence: str) -> None:
    theirs = f"token_url: https://a.example/token\nauthorize_url: https://a.example/authorize\n{plan}"
    _, notes = read(theirs, own, tmp_path)
    assert any(problem.sentence.startswith(sentence) for problem in notes.problems), notes.problems
    assert not any("refresh-0" in str(problem) for problem in notes.problems)


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        ("scopes: [a]", "'token_url' is missing"),
        ("token_url: https://a.example/t", "'authorize_url' is missing"),
        ("token_url: https://a.example/t\ngrants: [magic]", "'grants' cannot be 'magic'"),
        ("token_url: https://a.example/t\ngrants: password\ncapture: {access_token: x}", "a captured value cannot be"),
        ("token_url: https://a.example/t\ngrants: password\nhosts: ['https://a.example']", "'https://a.example' is no"),
        (
            "token_url: https://a.example/t\nauthorize_url: https://a.example/a\nauthorize: {state: x}",
            "'authorize' cannot",
        ),
        ("token_url: https://a.example/t\ngrants: password\ntoken: {grant_type: x}", "'token' cannot set 'grant_type'"),
        ("token_url: https://a.example/t\ngrants: password\nlifetime_s: 0", "'lifetime_s' must be a number"),
        ("token_url: https://a.example/t\ngrants: password\nscopes: {magic: [a]}", "'scopes' has no key 'magic'"),
        ("token_url: '{settings.domain}'\ngrants: client_credentials", "the token address that comes out is"),
        ("token_url: https://a.example/t\ngrants: password\npkcee: true", "'oauth2' has no key 'pkcee'"),
    ],
)
def test_what_a_description_says_is_checked(tmp_path, plan: str, sentence: str) -> None:
    _, notes = read(plan, "client_id: a\nclient_secret: '${REFRESH}'", tmp_path)
    assert any(problem.sentence.startswith(sentence) for problem in notes.problems), notes.problems


def test_settings_fill_the_plan(tmp_path) -> None:
    plan = "token_url: https://{settings.domain}.example/t\nauthorize_url: https://{settings.domain}.example/a\n"
    settings, notes = read(plan + "hosts: ['*.{settings.domain}.example']", "client_id: a", tmp_path)
    assert notes.problems == []
    assert settings.plan.token_url == "https://acme.example/t"
    assert settings.plan.hosts == ("*.acme.example",)


@pytest.mark.parametrize(
    ("plan", "own", "changed"),
    [(MACHINE, "", "client_secret"), (PASSWORD, ANNA, "client_secret"), (PASSWORD, ANNA, "password")],
)
async def test_a_changed_secret_is_noticed_though_an_older_token_lives(
    site: Site, plan: str, own: str, changed: str
) -> None:
    make_key(site.folder, "")
    settings = site.settings(plan, own)
    await site.credential(settings).values()
    with pytest.raises(ProviderRefused, match="refused us"):
        await site.credential(replace(settings, **{changed: "wrong"})).values()  # type: ignore[arg-type]
