"""Tokens in use: one renewal for all, before the end, after a 401; what the vendor may do wrong."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from routing_engine.errors import (
    ProviderError,
    ProviderMisread,
    ProviderRefused,
    ProviderThrottled,
    ProviderUnreachable,
)

from .conftest import Site, until

pytestmark = pytest.mark.io

AGAIN = "log in again: routing-engine integrations login crm"


async def test_eight_look_ups_after_the_end_are_one_renewal(site: Site) -> None:
    site.logged_in()
    credential = site.credential()
    found = await asyncio.gather(*(credential.values() for _ in range(8)))
    assert {values["access_token"] for values in found} == {"access-1"}
    assert [form["refresh_token"] for form in site.vendor.asked] == ["refresh-0"]


async def test_two_credentials_on_one_folder_renew_once(site: Site) -> None:
    """As the engine and a command do; and as two configurations in force during a reload."""
    site.logged_in()
    both = site.credential(), site.credential()
    found = await asyncio.gather(*(one.values() for one in both for _ in range(4)))
    assert {values["access_token"] for values in found} == {"access-1"}
    assert len(site.vendor.asked) == 1


async def test_a_restart_renews_nothing(site: Site) -> None:
    site.logged_in(lives_s=1000)
    values = await site.credential().values()
    assert (values, site.vendor.asked) == ({"access_token": "access-0"}, [])


async def test_the_new_refresh_token_is_kept_and_used_next(site: Site) -> None:
    site.logged_in()
    credential = site.credential()
    await credential.values()
    assert (site.kept().access_token, site.kept().refresh_token) == ("access-1", "refresh-1")
    site.clock.now_s += 4000
    assert (await credential.values())["access_token"] == "access-2"
    assert [form["refresh_token"] for form in site.vendor.asked] == ["refresh-0", "refresh-1"]


async def test_an_answer_without_a_refresh_token_leaves_the_old_one(site: Site) -> None:
    site.logged_in()
    site.vendor.rotates = False
    await site.credential().values()
    assert (site.kept().access_token, site.kept().refresh_token) == ("access-1", "refresh-0")


async def test_it_is_renewed_before_its_end_without_a_look_up_waiting(site: Site) -> None:
    site.logged_in(lives_s=3600)
    credential = site.credential()
    await credential.values()
    site.clock.now_s += 3550
    site.vendor.gate = asyncio.Event()
    assert (await credential.values())["access_token"] == "access-0"
    await until(lambda: len(site.vendor.asked) == 1)
    site.vendor.gate.set()
    await until(lambda: site.kept().access_token == "access-1")
    await credential.close()
    assert (await credential.values())["access_token"] == "access-1"


async def test_without_an_end_it_is_used_until_it_is_refused(site: Site) -> None:
    site.vendor.expires_in = None
    site.logged_in()
    credential = site.credential()
    first = await credential.values()
    site.clock.now_s += 10**7
    assert await credential.values() == first
    assert credential.refused(first)
    assert (await credential.values())["access_token"] == "access-2"


async def test_the_description_knows_an_end_that_the_answer_does_not_tell(site: Site) -> None:
    site.vendor.expires_in = None
    settings = site.settings("lifetime_s: 600")
    site.logged_in(settings)
    await site.credential(settings).values()
    assert site.kept().expires_at == site.unix_time() + 600


async def test_eight_401s_are_one_renewal(site: Site) -> None:
    site.logged_in(lives_s=3600)
    credential = site.credential()
    values = await credential.values()

    async def look_up() -> str:
        assert credential.refused(values)
        return (await credential.values())["access_token"]

    assert set(await asyncio.gather(*(look_up() for _ in range(8)))) == {"access-1"}
    assert len(site.vendor.asked) == 1


async def test_a_token_that_is_refused_at_once_is_not_renewed_again_and_again(site: Site) -> None:
    site.logged_in(lives_s=3600)
    credential = site.credential()
    assert credential.refused(await credential.values())
    second = await credential.values()
    assert not credential.refused(second)
    assert await credential.values() == second
    site.clock.now_s += 61
    assert credential.refused(second)


async def test_the_token_that_another_process_fetched_is_taken_after_a_401(site: Site) -> None:
    site.logged_in(lives_s=3600)
    ours, other = site.credential(), site.credential()
    old = await ours.values()
    other.refused(await other.values())
    await other.values()
    assert ours.refused(old)
    assert (await ours.values())["access_token"] == "access-1"
    assert len(site.vendor.asked) == 1


async def test_a_log_in_elsewhere_is_taken_while_the_old_token_still_lives(site: Site) -> None:
    site.logged_in(lives_s=3600)
    credential = site.credential()
    await credential.values()
    store = site.logged_in(lives_s=7200)
    store.write(replace(site.kept(), access_token="access-of-another-user"))
    site.clock.now_s += 2
    await credential.values()
    await credential.close()
    assert (await credential.values())["access_token"] == "access-of-another-user"
    assert site.vendor.asked == []


async def test_a_dead_log_in_is_asked_for_once_until_somebody_logs_in(site: Site) -> None:
    site.logged_in()
    site.vendor.good = set()
    credential = site.credential()
    for _ in range(5):
        with pytest.raises(ProviderRefused, match=AGAIN):
            await credential.values()
        site.clock.now_s += 1000
    assert len(site.vendor.asked) == 1
    assert site.kept().refused == "invalid_grant"
    site.logged_in(lives_s=3600)
    assert (await credential.values())["access_token"] == "access-0"


async def test_nobody_has_logged_in_yet(site: Site) -> None:
    credential = site.credential()
    for _ in range(2):
        with pytest.raises(ProviderRefused, match=f"nobody has logged in yet; {AGAIN}"):
            await credential.values()
    site.logged_in(lives_s=3600)
    site.clock.now_s += 2
    assert (await credential.values())["access_token"] == "access-0"


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (500, b"", ProviderUnreachable, "status 500"),
        (503, b"", ProviderUnreachable, "status 503"),
        (200, b"<html>", ProviderMisread, "without an access token"),
        (200, b"[]", ProviderMisread, "without an access token"),
        (200, b'{"access_token": "a\\r\\nX: 1"}', ProviderMisread, "without an access token"),
        (200, b'{"error": "invalid_code"}', ProviderRefused, "invalid_code"),  # Zoho says no with status 200
        (401, b'{"error": "invalid_client"}', ProviderRefused, "client_id and client_secret"),
        (400, b'{"error": "unauthorized_client"}', ProviderRefused, "vendor's administrator"),
        (400, b'{"status": "BAD_REFRESH_TOKEN"}', ProviderRefused, "BAD_REFRESH_TOKEN"),
        (400, b'{"error": "\\u001b[2J<script>"}', ProviderRefused, "status 400$"),
        (302, b"", ProviderRefused, "status 302"),
        (400, b'{"error": "slow_down"}', ProviderThrottled, "slow_down"),
    ],
)
async def test_every_answer_without_a_token_says_who_must_act(
    site: Site, status: int, body: bytes, kind: type[ProviderError], says: str
) -> None:
    site.logged_in()
    site.vendor.status, site.vendor.body = status, body
    with pytest.raises(kind, match=says) as caught:
        await site.credential().values()
    assert type(caught.value) is kind


async def test_codes_of_the_description_also_mean_a_new_log_in(site: Site) -> None:
    settings = site.settings("revoked: [invalid_grant, BAD_REFRESH_TOKEN]")
    site.logged_in(settings)
    site.vendor.status, site.vendor.body = 400, b'{"status": "BAD_REFRESH_TOKEN"}'
    with pytest.raises(ProviderRefused, match=AGAIN):
        await site.credential(settings).values()


async def test_the_old_token_is_used_while_the_token_address_is_down(site: Site) -> None:
    site.logged_in(lives_s=3600)
    credential = site.credential()
    await credential.values()
    site.vendor.status, site.clock.now_s = 500, site.clock.now_s + 3550
    assert (await credential.values())["access_token"] == "access-0"
    await credential.close()
    assert (await credential.values())["access_token"] == "access-0"
    site.clock.now_s += 51
    with pytest.raises(ProviderUnreachable):
        await credential.values()
    site.vendor.status, site.clock.now_s = 0, site.clock.now_s + 2
    assert (await credential.values())["access_token"] == "access-1"


async def test_a_throttled_token_address_is_left_alone_for_so_long(site: Site) -> None:
    site.logged_in()
    site.vendor.status, site.vendor.headers = 429, {"Retry-After": "40"}
    credential = site.credential()
    for passed, left in ((0, 40), (10, 30)):
        site.clock.now_s += passed
        with pytest.raises(ProviderThrottled) as caught:
            await credential.values()
        assert caught.value.retry_after_s == left
    assert len(site.vendor.asked) == 1
    site.vendor.status, site.clock.now_s = 0, site.clock.now_s + 31
    assert (await credential.values())["access_token"] == "access-1"


async def test_a_kept_connection_that_the_vendor_has_closed_costs_nothing(site: Site) -> None:
    site.logged_in()
    site.vendor.hangs_up = 1
    assert (await site.credential().values())["access_token"] == "access-1"
    site.vendor.hangs_up, site.clock.now_s = 2, site.clock.now_s + 4000
    with pytest.raises(ProviderUnreachable, match="does not answer"):
        await site.credential().values()


async def test_a_caller_who_hangs_up_leaves_the_token_to_the_others(site: Site) -> None:
    site.logged_in()
    site.vendor.gate = asyncio.Event()
    credential = site.credential()
    first, second = (asyncio.create_task(credential.values()) for _ in range(2))
    await until(lambda: len(site.vendor.asked) == 1)
    first.cancel()
    site.vendor.gate.set()
    assert (await second)["access_token"] == "access-1"
    assert first.cancelled()


async def test_closing_waits_for_the_only_good_refresh_token(site: Site) -> None:
    site.logged_in()
    site.vendor.gate = asyncio.Event()
    credential = site.credential()
    look_up = asyncio.create_task(credential.values())
    await until(lambda: len(site.vendor.asked) == 1)
    look_up.cancel()
    closing = asyncio.create_task(credential.close())
    site.vendor.gate.set()
    await closing
    assert site.kept().refresh_token == "refresh-1"


async def test_tokens_that_cannot_be_written_are_not_used_and_not_lost(site: Site) -> None:
    store = site.logged_in()
    site.vendor.gate = asyncio.Event()
    credential = site.credential()
    look_up = asyncio.create_task(credential.values())
    await until(lambda: len(site.vendor.asked) == 1)
    shutil.rmtree(store.path.parent)
    store.path.parent.write_text("a file where the folder was: nothing can be written below it")
    site.vendor.gate.set()
    with pytest.raises(ProviderRefused, match="cannot be written: Not a directory; let the engine's user write there"):
        await look_up
    store.path.parent.unlink()
    site.clock.now_s += 2
    assert (await credential.values())["access_token"] == "access-1"
    assert site.kept().refresh_token == "refresh-1"
    assert len(site.vendor.asked) == 1


async def test_values_that_come_with_the_token_are_kept_with_it(site: Site) -> None:
    settings = site.settings("capture: {api: api_domain}\nhosts: ['*.zoho.example']")
    site.logged_in(settings, api="https://old.zoho.example")
    site.vendor.extra = {"api_domain": "https://www.zoho.example"}
    values = await site.credential(settings).values()
    assert values == {"access_token": "access-1", "api": "https://www.zoho.example"}
    assert site.kept().values == {"api": "https://www.zoho.example"}


async def test_a_captured_address_elsewhere_is_refused(site: Site) -> None:
    settings = site.settings("capture: {api: api_domain}\nhosts: ['*.zoho.example']")
    site.logged_in(settings)
    site.vendor.extra = {"api_domain": "https://www.zoho.example.evil.example"}
    with pytest.raises(ProviderRefused, match="leads to a host that is not allowed"):
        await site.credential(settings).values()


async def test_a_kept_address_is_checked_against_the_hosts_of_today(site: Site) -> None:
    settings = site.settings("capture: {api: api_domain}\nhosts: [new.example]")
    site.logged_in(settings, lives_s=3600, api="https://old.example")
    site.vendor.extra = {"api_domain": "https://new.example"}
    assert (await site.credential(settings).values())["api"] == "https://new.example"


async def test_another_app_does_not_use_the_tokens_of_the_one_before(site: Site) -> None:
    site.logged_in(lives_s=3600)
    with pytest.raises(ProviderRefused, match="nobody has logged in yet"):
        await site.credential(replace(site.settings(), client_id="app-2")).values()


async def test_a_changed_secret_is_noticed_though_an_older_token_lives(site: Site) -> None:
    site.logged_in()
    settings = site.settings()
    right = await site.credential(settings).values()
    with pytest.raises(ProviderRefused, match="invalid_client"):
        await site.credential(replace(settings, client_secret="wrong")).values()
    assert await site.credential(settings).values() == right


async def test_a_refresh_token_from_the_yaml_begins_and_a_new_one_begins_anew(site: Site) -> None:
    site.logged_in(lives_s=3600)
    settings = site.settings(own="refresh_token: '${REFRESH}'")
    assert (await site.credential(settings).values())["access_token"] == "access-1"
    assert (await site.credential(settings).values())["access_token"] == "access-1"
    assert [form["refresh_token"] for form in site.vendor.asked] == ["refresh-0"]


async def test_no_secret_is_in_a_log_an_error_or_a_repr(site: Site) -> None:
    site.logged_in()
    site.vendor.good = set()
    settings = site.settings(own="refresh_token: '${REFRESH}'")
    credential = site.credential(settings)
    with capture_logs() as logs, pytest.raises(ProviderRefused) as caught:
        await credential.values()
    said = [repr(settings), repr(site.kept()), str(caught.value), repr(caught.value.__cause__), repr(logs)]
    assert "oauth.failed" in "".join(said)
    assert not any(secret in json.dumps(said) for secret in ("s3cret", "refresh-0", "access-0"))
