"""Logging in with a password: sessions, when they end, who may ride on them, and who guesses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from routing_engine.settings.log_in import LogInKeys
from routing_engine.settings.people import Group
from routing_engine.storage import people_table
from routing_engine.web.passwords import fault_of, hash_of
from routing_engine.web.people_api import language_of
from routing_engine.web.sessions import MOST_OF_ADDRESS, MOST_OF_PERSON

from .people import GROUPS, HEADER, KEY, NOW, PASSWORD, USERS, Browser, PeopleWeb, configuration, people_web

pytestmark = pytest.mark.io


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[PeopleWeb]:
    async with people_web(tmp_path) as found:
        yield found


async def me(browser: Browser) -> int:
    return (await browser.ask("GET", "/v1/me"))[0]


# In and out


async def test_who_logs_in_is_told_who_one_is_and_what_one_may(web: PeopleWeb) -> None:
    anna = await web.logged_in("anna")
    status, body = await anna.ask("GET", "/v1/me", headers={**HEADER, "Accept-Language": "fr, de-AT;q=0.8, en;q=0.5"})
    assert (status, body["user"]["name"], body["user"]["role"], body["language"]) == (200, "Anna Gruber", "agent", "de")
    assert body["may"] == ["calls.read", "calls.write", "dial", "sip"]
    assert body["models"] == {"crm.contact": ["create", "edit", "read"], "crm.lead": ["read"]}
    assert body["integrations"] == [{"name": "crm", "title": "crm", "account": None}]
    assert (body["log_in"], body["dialling"], body["phone_in_page"]) == (["password"], False, False)


async def test_a_cookie_is_for_no_script_and_no_other_site(web: PeopleWeb) -> None:
    anna = await web.logged_in("anna")
    session, _ = anna.answered
    assert session.startswith("routing_engine=")
    assert "; HttpOnly; SameSite=Strict" in session
    assert "Secure" not in session  # plain http of this machine; over TLS below


async def test_over_tls_the_cookie_is_bound_to_this_host(web: PeopleWeb) -> None:
    behind = {**HEADER, "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
    anna = web.browser()
    assert await anna.log_in("anna", headers=behind) == 200
    assert anna.answered[0].startswith("__Host-routing_engine=")
    assert "; Secure" in anna.answered[0]
    assert (await anna.ask("GET", "/v1/me", headers=behind))[0] == 200
    assert await me(anna) == 401  # the same cookie is not taken over plain http


async def test_a_page_that_may_be_framed_has_a_cookie_that_frames_are_sent(web: PeopleWeb) -> None:
    settings = configuration().settings
    framed = replace(settings, pages=replace(settings.pages, frames=("https://crm.example.com",)))
    web.people.change(configuration(settings=framed))
    anna = web.browser()
    await anna.log_in("anna", headers={**HEADER, "X-Forwarded-Proto": "https"})
    assert "; SameSite=None; Secure; Partitioned" in anna.answered[0]


async def test_nobody_logs_in_over_plain_http_from_another_machine(web: PeopleWeb) -> None:
    assert await web.browser().log_in("anna", headers={**HEADER, "X-Forwarded-For": "203.0.113.9"}) == 403


async def test_without_a_session_there_is_nobody(web: PeopleWeb) -> None:
    status, body = await web.browser().ask("GET", "/v1/me")
    assert (status, body["error"]["code"]) == (401, "no_key")
    for made_up in ("", "x", "x" * 5000, "../../etc", "routing_engine=x"):
        assert await me(Browser(web.url, web.http, {"routing_engine": made_up})) == 401


async def test_a_key_is_no_person(web: PeopleWeb) -> None:
    status, body = await web.browser().ask("GET", "/v1/me", headers={"Authorization": f"Bearer {KEY}"})
    assert (status, body["error"]["code"]) == (403, "no_person")


async def test_the_page_knows_before_how_one_may_log_in(web: PeopleWeb) -> None:
    assert await web.browser().ask("GET", "/v1/session") == (200, {"log_in": ["password"], "title": ""})


async def test_logging_out_ends_the_session_on_the_server(web: PeopleWeb) -> None:
    anna, phone = await web.logged_in("anna"), await web.logged_in("anna")
    stolen = Browser(web.url, web.http, dict(anna.cookies))
    assert (await anna.ask("DELETE", "/v1/session"))[0] == 204
    assert [await me(one) for one in (anna, stolen, phone)] == [401, 401, 200]


async def test_logging_out_everywhere_ends_all_sessions_of_that_person_alone(web: PeopleWeb) -> None:
    anna, phone, bert = await web.logged_in("anna"), await web.logged_in("anna"), await web.logged_in("bert")
    assert (await anna.ask("DELETE", "/v1/session?everywhere=true"))[0] == 204
    assert [await me(one) for one in (anna, phone, bert)] == [401, 401, 200]


async def test_a_session_that_was_planted_is_not_gone_on_with(web: PeopleWeb) -> None:
    mallory = await web.logged_in("bert")
    planted = mallory.cookies["routing_engine"]
    anna = Browser(web.url, web.http, {"routing_engine": planted})
    assert await anna.log_in("anna") == 200
    assert anna.cookies["routing_engine"] != planted
    assert await me(mallory) == 401  # and what was planted is worth nothing


# When it ends


async def test_a_session_that_nobody_uses_is_over_and_any_after_its_time(web: PeopleWeb) -> None:
    web.people.change(configuration(log_in=LogInKeys(idle=3600, longest=7200)))
    used, left = await web.logged_in("anna"), await web.logged_in("anna")
    web.pass_by(3000)
    assert await me(used) == 200
    await web.database.flush()
    web.pass_by(3000)
    assert (await me(used), await me(left)) == (200, 401)
    await web.database.flush()
    web.pass_by(3000)
    assert await me(used) == 401


@pytest.mark.parametrize(
    "users",
    [
        {},
        {"anna": replace(USERS["anna"], role="supervisor")},
        {"anna": replace(USERS["anna"], group="support")},
        {"anna": replace(USERS["anna"], email="other@example.com")},
    ],
    ids=["gone", "role", "group", "e-mail"],
)
async def test_a_session_ends_when_the_person_changes(web: PeopleWeb, users: Mapping[str, object]) -> None:
    anna = await web.logged_in("anna")
    web.people.change(configuration(users=users))
    assert await me(anna) == 401
    web.people.change(configuration())
    assert await me(anna) == 401  # and does not come back with the person


async def test_a_right_that_is_taken_from_the_group_is_gone_at_once(web: PeopleWeb) -> None:
    anna = await web.logged_in("anna")
    web.people.change(configuration(groups={**GROUPS, "sales": Group("sales")}))
    assert (await anna.ask("GET", "/v1/me"))[1]["models"] == {}


async def test_a_new_password_ends_every_session_of_the_person(web: PeopleWeb) -> None:
    anna, bert = await web.logged_in("anna"), await web.logged_in("bert")
    new = partial(people_table.set_password, user="anna", hashed=hash_of("another password"), now=NOW, by="adam")
    await web.database.write(new)
    assert (await me(anna), await me(bert)) == (401, 200)
    assert await anna.log_in("anna") == 401
    assert await anna.log_in("anna", "another password") == 200


async def test_a_password_that_changes_while_it_is_looked_at_lets_nobody_in(web: PeopleWeb) -> None:
    begin = partial(people_table.begin_session, token="t", user="anna", stamp="", now=NOW, proven="an older hash")
    assert await web.database.write(begin) is False


async def test_the_tables_are_kept_small_and_a_key_is_not_inherited(web: PeopleWeb) -> None:
    anna = await web.logged_in("anna")
    old = partial(people_table.keep_people_up, began=NOW + 1, seen=0.0, gone=NOW + 1, old=NOW + 1, now=NOW + 2)
    await web.database.write(partial(old, users=["bert"]))
    assert await me(anna) == 401
    assert await web.database.read(people_table.users_with_password) == {"bert"}
    assert await web.people.audit.entries("", 0.0, 10) == []


async def test_who_is_gone_is_told_once_the_last_session_ends(web: PeopleWeb) -> None:
    told = asyncio.Queue[str]()
    web.people.sessions.gone = told.put
    anna, phone, bert = await web.logged_in("anna"), await web.logged_in("anna"), await web.logged_in("bert")
    assert [await me(one) for one in (anna, phone, bert)] == [200, 200, 200]
    await anna.ask("DELETE", "/v1/session")
    web.people.change(configuration(users={"anna": USERS["anna"]}))
    assert await asyncio.wait_for(told.get(), 30) == "bert"  # anna has her telephone still
    await phone.ask("DELETE", "/v1/session")
    assert await asyncio.wait_for(told.get(), 30) == "anna"


# Other sites


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Routing-Engine": "1", "Origin": "https://evil.example.com"},
        {"X-Routing-Engine": "1", "Origin": "null"},
        {"X-Routing-Engine": "1", "Sec-Fetch-Site": "cross-site"},
        {"X-Routing-Engine": "1", "Sec-Fetch-Site": "same-site"},
        {"Origin": "{own}"},
    ],
)
async def test_another_site_cannot_ride_on_a_session(web: PeopleWeb, headers: dict[str, str]) -> None:
    anna = await web.logged_in("anna")
    sent = {name: value.replace("{own}", web.url) for name, value in headers.items()}
    for method, path in (("PATCH", "/v1/calls/of-anna"), ("DELETE", "/v1/session"), ("POST", "/v1/session")):
        body = {"user": "bert", "password": PASSWORD} if method == "POST" else {"tags": ["x"]}
        status, answer = await anna.ask(method, path, headers=sent, json=body if method != "DELETE" else None)
        assert (status, answer["error"]["code"]) == (403, "cross_site")
    assert await me(anna) == 200


async def test_our_own_page_may_with_and_without_an_origin(web: PeopleWeb) -> None:
    anna = await web.logged_in("anna")
    for own in ({}, {"Origin": web.url}, {"Sec-Fetch-Site": "same-origin"}):
        assert (await anna.ask("PATCH", "/v1/calls/of-anna", headers={**HEADER, **own}, json={"tags": ["x"]}))[0] == 200


async def test_behind_a_proxy_that_asks_by_another_name_the_written_address_is_ours(web: PeopleWeb) -> None:
    settings = configuration().settings
    pages = replace(settings.pages, address="https://calls.example.com")
    web.people.change(configuration(settings=replace(settings, pages=pages)))
    own, other = ({**HEADER, "Origin": f"https://{name}.example.com"} for name in ("calls", "evil"))
    anna = web.browser()
    assert [await anna.log_in("anna", headers=one) for one in (other, own)] == [403, 200]
    for headers, status in ((other, 403), (own, 200)):
        assert (await anna.ask("PATCH", "/v1/calls/of-anna", headers=headers, json={"tags": ["x"]}))[0] == status


# Who guesses


async def test_a_wrong_name_and_a_wrong_password_are_told_alike(web: PeopleWeb) -> None:
    answers = [
        await web.browser().ask("POST", "/v1/session", json={"user": user, "password": "wrong password"})
        for user in ("anna", "nobody", "anna@example.com", "\x1b[31m")
    ]
    assert all(one == answers[0] for one in answers)
    assert answers[0][0] == 401


async def test_the_e_mail_address_is_a_name_too_where_it_is_of_one_person(web: PeopleWeb) -> None:
    assert await web.browser().log_in("Anna@Example.com") == 200
    twin = replace(USERS["anna"], key="twin")
    web.people.change(configuration(users={**USERS, "twin": twin}))
    assert await web.browser().log_in("anna@example.com") == 401


async def test_who_has_two_names_is_not_guessed_twice_as_often(web: PeopleWeb) -> None:
    most, _ = MOST_OF_PERSON
    names = ["anna", "anna@example.com"] * most
    tries = [await from_elsewhere(web, n, name) for n, name in enumerate(names[: most + 1])]
    assert tries == [401] * most + [429]


async def test_an_address_that_guesses_must_wait(web: PeopleWeb) -> None:
    most, within_s = MOST_OF_ADDRESS
    tries = [await web.browser().log_in(f"user{n}", "wrong") for n in range(most + 1)]
    assert tries == [401] * most + [429]
    web.pass_by(within_s)
    assert await web.browser().log_in("anna") == 200


async def from_elsewhere(web: PeopleWeb, n: int, user: str = "anna", password: str = "wrong") -> int:
    headers = {**HEADER, "X-Forwarded-For": f"203.0.113.{n}", "X-Forwarded-Proto": "https"}
    return await web.browser().log_in(user, password, headers=headers)


async def test_many_addresses_that_guess_one_person_must_wait_and_the_person_need_not(web: PeopleWeb) -> None:
    anna = await web.logged_in("anna")
    most, within_s = MOST_OF_PERSON
    tries = await asyncio.gather(*(from_elsewhere(web, n) for n in range(most + 20)))
    assert sorted(tries) == [401] * most + [429] * 20
    # Not even with the right word, from where nobody is known; who was here before is let in.
    assert await from_elsewhere(web, 200, password=PASSWORD) == 429
    assert await anna.log_in("anna") == 200
    assert await from_elsewhere(web, 201, "bert", PASSWORD) == 200
    web.pass_by(within_s)
    assert await from_elsewhere(web, 200, password=PASSWORD) == 200


async def test_somebody_who_is_not_there_is_guessed_as_often(web: PeopleWeb) -> None:
    most, _ = MOST_OF_PERSON
    tries = [await from_elsewhere(web, n, "nobody") for n in range(most + 1)]
    assert tries == [401] * most + [429]


async def test_the_device_of_another_person_is_no_device_of_mine(web: PeopleWeb) -> None:
    bert = await web.logged_in("bert")
    most, _ = MOST_OF_PERSON
    tries = [await bert.log_in("anna", "wrong") for _ in range(most + 1)]
    assert tries[-1] == 429
    assert await from_elsewhere(web, 7, password=PASSWORD) == 429  # counted for anna, as for any stranger


async def test_passwords_can_be_switched_off(web: PeopleWeb) -> None:
    web.people.change(configuration(log_in=LogInKeys(password=False)))
    assert await web.browser().log_in("anna") == 401


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaa", "anna@example.com", "x" * 300])
def test_a_password_that_is_guessed_at_once_is_refused(password: str) -> None:
    assert fault_of(password, "anna", "Anna@Example.com")


def test_a_good_password_is_taken() -> None:
    assert fault_of(PASSWORD, "anna") == ""


# The audit


async def test_the_audit_says_who_did_what_from_where_and_no_secret(web: PeopleWeb) -> None:
    anna = await web.logged_in("anna")
    await web.browser().log_in("anna", "wrong secret")
    await web.browser().log_in("my password by mistake", "x")
    await anna.ask("PATCH", "/v1/calls/of-anna", json={"notes": "private words"})
    await anna.ask("DELETE", "/v1/session")
    adam = await web.logged_in("adam")
    await web.database.flush()
    status, body = await adam.ask("GET", "/v1/audit")
    told = [(one["who"], one["what"], one["about"]) for one in reversed(body["entries"])][len(USERS) :]
    assert (status, told) == (
        200,
        [
            ("anna", "logged in: password", ""),
            ("anna", "log-in refused", ""),
            ("", "log-in refused", ""),
            ("anna", "PATCH /v1/calls/{id}", "of-anna"),
            ("anna", "logged out", ""),
            ("adam", "logged in: password", ""),
        ],
    )
    assert all(one["address"] == "127.0.0.1" for one in body["entries"] if one["what"] != "password set")
    assert not any(word in str(body) for word in ("secret", "mistake", "private"))


async def test_what_a_program_changes_is_in_the_audit_under_its_key(web: PeopleWeb) -> None:
    key = {"Authorization": f"Bearer {KEY}"}
    await web.browser().ask("PATCH", "/v1/calls/of-anna", headers=key, json={"tags": ["x"]})
    await web.database.flush()
    assert [one.what for one in await web.people.audit.entries("key page", 0.0, 9)] == ["PATCH /v1/calls/{id}"]


@pytest.mark.parametrize("user", ["anna", "sue"])
async def test_the_audit_is_for_administrators(web: PeopleWeb, user: str) -> None:
    assert (await (await web.logged_in(user)).ask("GET", "/v1/audit"))[0] == 403


async def test_nothing_secret_is_in_the_log(web: PeopleWeb, capfd: pytest.CaptureFixture[str]) -> None:
    anna = await web.logged_in("anna")
    await web.browser().log_in("anna", "wrong secret")
    await anna.ask("DELETE", "/v1/session")
    written = "".join(capfd.readouterr())
    assert not any(word in written for word in (PASSWORD, "wrong secret", anna.cookies["routing_engine_device"]))


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("", "en"), ("de", "de"), ("fr,de;q=0.1", "de"), ("en-GB,de", "en"), ("de;q=x,en;q=0.2", "en"), ("zh", "en")],
)
def test_the_language_is_the_one_of_ours_that_is_liked_best(accepted: str, language: str) -> None:
    assert language_of(accepted) == language


@pytest.mark.parametrize("steps", [0, 1, 2])
async def test_a_stop_ends_what_keeps_sessions_in_the_moment_in_which_it_is_told_something(
    steps: int, tmp_path: Path
) -> None:
    async with people_web(tmp_path) as site:
        for _ in range(3):  # until it waits for news
            await site.database.flush()
        site.people.sessions.review()
        for _ in range(steps):
            await asyncio.sleep(0)
        async with asyncio.timeout(30):
            await site.people.sessions.close()
