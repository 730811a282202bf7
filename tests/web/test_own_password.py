"""People change their own password: the old one is asked for, guessing is bounded, and other sessions end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from routing_engine.settings.log_in import LogInKeys
from routing_engine.storage import people_table
from routing_engine.web.sessions import MOST_OF_PERSON

from .people import HEADER, KEY, NOW, PASSWORD, Browser, PeopleWeb, configuration, people_web

pytestmark = pytest.mark.io

NEW = "an even longer battery"


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[PeopleWeb]:
    async with people_web(tmp_path) as found:
        yield found


async def change(browser: Browser, old: str = PASSWORD, new: str = NEW) -> tuple[int, str]:
    status, body = await browser.ask("POST", "/v1/me/password", json={"old": old, "new": new})
    return status, body["error"]["code"] if "error" in body else ""


async def me(browser: Browser) -> int:
    return (await browser.ask("GET", "/v1/me"))[0]


async def test_a_person_changes_the_own_password_and_stays_here_alone(web: PeopleWeb) -> None:
    anna, phone, bert = await web.logged_in("anna"), await web.logged_in("anna"), await web.logged_in("bert")
    assert await change(anna) == (204, "")
    assert [await me(one) for one in (anna, phone, bert)] == [200, 401, 200]
    assert [await web.browser().log_in("anna", one) for one in (PASSWORD, NEW)] == [401, 200]


async def test_who_does_not_know_the_old_one_changes_nothing_and_cannot_guess_it(web: PeopleWeb) -> None:
    anna = await web.logged_in("anna")
    most, within_s = MOST_OF_PERSON
    tries = [await change(anna, f"wrong {n}") for n in range(most)]
    assert tries == [(403, "wrong_old_password")] * most
    assert await change(anna) == (429, "too_many_tries")
    assert await me(anna) == 200
    # In that session alone: the person is at work elsewhere meanwhile.
    elsewhere = await web.logged_in("anna")
    assert await change(elsewhere) == (204, "")
    web.pass_by(within_s)
    assert await me(anna) == 401


async def test_a_password_that_is_guessed_at_once_is_not_taken(web: PeopleWeb) -> None:
    anna = await web.logged_in("anna")
    for weak in ("short", "anna@example.com", "x" * 300):
        assert await change(anna, new=weak) == (400, "weak_password")
    assert await web.browser().log_in("anna") == 200


async def test_a_change_that_crosses_another_one_changes_nothing(web: PeopleWeb) -> None:
    late = partial(people_table.change_password, user="anna", hashed="x", now=NOW, proven="an older hash", kept="")
    assert await web.database.write(late) is False
    assert await web.browser().log_in("anna") == 200


async def test_nobody_else_and_no_program_changes_it(web: PeopleWeb) -> None:
    body = {"old": PASSWORD, "new": NEW}
    for headers in ({}, HEADER):
        assert (await web.browser().ask("POST", "/v1/me/password", headers=headers, json=body))[0] == 401
    key = {"Authorization": f"Bearer {KEY}"}
    assert (await web.browser().ask("POST", "/v1/me/password", headers=key, json=body))[0] == 403
    anna = await web.logged_in("anna")
    evil = {**HEADER, "Origin": "https://evil.example.com"}
    status, answer = await anna.ask("POST", "/v1/me/password", headers=evil, json=body)
    assert (status, answer["error"]["code"]) == (403, "cross_site")


async def test_where_nobody_logs_in_with_a_password_there_is_none_to_change(web: PeopleWeb) -> None:
    anna = await web.logged_in("anna")
    assert (await anna.ask("GET", "/v1/me"))[1]["has_password"] is True
    web.people.change(replace(configuration(), settings=configuration(log_in=LogInKeys(password=False)).settings))
    assert await change(anna) == (409, "no_passwords")
    assert (await anna.ask("GET", "/v1/me"))[1]["has_password"] is False


async def test_the_audit_tells_of_it_without_a_word_of_a_password(web: PeopleWeb) -> None:
    anna = await web.logged_in("anna")
    await change(anna, "wrong secret")
    await change(anna)
    await web.database.flush()
    entries = await web.people.audit.entries("anna", 0.0, 2)
    assert [one.what for one in entries] == ["password changed", "password change refused"]
    assert not any(word in str(entries) for word in (NEW, PASSWORD, "wrong secret"))
