"""What a status of HTTP means, and the error that follows: one table for all that speak HTTP."""

from __future__ import annotations

import pytest

from routing_engine.core.model import Json
from routing_engine.errors import (
    ProviderError,
    ProviderMisread,
    ProviderRefused,
    ProviderThrottled,
    ProviderUnreachable,
)
from routing_engine.providers.answers.not_json import not_json
from routing_engine.providers.answers.outcome import LONGEST_WAIT_S, OUTCOMES, error_of, meaning_of, outcome_of_status
from routing_engine.providers.answers.outcome import STATUSES as STATUS_TABLE
from routing_engine.providers.answers.scopes import lacking, to_a_log_in

STATUSES = [
    *((status, "fine") for status in (200, 201, 203, 205, 206, 299)),
    (204, "no_record"),
    *((status, "refused") for status in (199, 300, 302, 399, 400, 402, 403, 404, 407, 410, 499, 511)),
    (401, "login"),
    (429, "throttled"),
    *((status, "again") for status in (408, 421, 425, 502, 503, 504, 520, 522, 524)),
    *((status, "down") for status in (409, 423, 500, 501, 505, 521, 599)),
]


@pytest.mark.parametrize(("status", "outcome"), STATUSES)
def test_a_status_means_what_http_says(status: int, outcome: str) -> None:
    assert outcome_of_status(status, asks_to_wait=False) == outcome
    assert outcome in OUTCOMES


@pytest.mark.parametrize(("status", "outcome"), [(503, "throttled"), (502, "again"), (500, "down"), (403, "refused")])
def test_only_503_with_a_time_to_wait_asks_for_patience(status: int, outcome: str) -> None:
    assert outcome_of_status(status, asks_to_wait=True) == outcome


ERRORS = [
    ("throttled", 429, ProviderThrottled, "crm: Acme answered with status 429 (BUSY)"),
    ("quota", 429, ProviderThrottled, "crm: Acme answered with status 429 (BUSY): its quota is used up"),
    ("again", 503, ProviderUnreachable, "crm: Acme answered with status 503 (BUSY)"),
    ("down", 500, ProviderUnreachable, "crm: Acme answered with status 500 (BUSY)"),
    ("misread", 200, ProviderMisread, "crm: Acme answered with status 200 (BUSY)"),
    ("refused", 299, ProviderRefused, "crm: Acme answered with status 299 (BUSY): it refused the request"),
    *(
        ("refused", status, ProviderRefused, f"crm: Acme answered with status {status} (BUSY): a redirect, {never}")
        for status, never in ((300, "which is never followed"), (399, "which is never followed"))
    ),
    ("refused", 400, ProviderRefused, "crm: Acme answered with status 400 (BUSY): it refused the request"),
    *(
        ("refused", status, ProviderRefused, f"crm: Acme answered with status {status} (BUSY): it refused our {what}")
        for status, what in ((401, "credentials"), (403, "credentials"))
    ),
    ("login", 200, ProviderRefused, "crm: Acme answered with status 200 (BUSY): it refused our credentials"),
]


@pytest.mark.parametrize(("outcome", "status", "kind", "text"), ERRORS)
def test_an_outcome_becomes_the_error_of_who_must_act(
    outcome: str, status: int, kind: type[ProviderError], text: str
) -> None:
    error = error_of(outcome, "crm: Acme", status, "BUSY")
    assert (type(error), str(error)) == (kind, text)
    assert getattr(error, "again", False) is (outcome == "again")


@pytest.mark.parametrize(
    ("outcome", "said_s", "wait_s"),
    [
        ("throttled", None, 1.0),
        ("throttled", 0.0, 0.0),
        ("throttled", 24.0, 24.0),
        ("throttled", 9e9, LONGEST_WAIT_S),
        ("quota", None, 300.0),
        ("quota", 3600.0, 3600.0),
    ],
)
def test_a_system_is_left_alone_as_long_as_it_says_and_never_for_ever(
    outcome: str, said_s: float | None, wait_s: float
) -> None:
    error = error_of(outcome, "crm: Acme", 429, wait_s=said_s)
    assert isinstance(error, ProviderThrottled)
    assert error.retry_after_s == wait_s


WHO = {
    "nobody": "200 204 299 429",
    "administrator": "300 301 302 307 308 400 401 404 405 406 410 412 422 499",
    "vendor": "402 403 408 409 421 423 425 451 500 501 502 503 504 508 520 521 522 523 524 525 526 527 529 530 599 999",
    "network": "407 511",
    "developer": "413 414 415 431",
}
TRIED = [(who, int(status)) for who, statuses in WHO.items() for status in statuses.split()]


@pytest.mark.parametrize(("who", "status"), TRIED)
def test_who_must_act_follows_from_the_status(who: str, status: int) -> None:
    meaning = meaning_of(status)
    assert meaning.who == who
    if meaning.outcome not in ("fine", "no_record"):
        assert error_of(meaning.outcome, "crm: Acme", status).who == who


def test_every_row_of_the_table_is_tried() -> None:
    assert set(STATUS_TABLE) <= {status for _, status in TRIED}


SCOPES = [
    (
        {"WWW-Authenticate": 'Bearer realm="x", error="insufficient_scope", scope="contacts.read deals.read"'},
        None,
        ["contacts.read", "deals.read"],
    ),
    (
        {"www-authenticate": 'Basic, Bearer error=insufficient_scope scope="https://a.example/auth/crm"'},
        None,
        ["https://a.example/auth/crm"],
    ),
    ({"WWW-Authenticate": 'Bearer error="invalid_token", scope="contacts.read"'}, None, []),
    ({"X-OAuth-Scopes": "gist, user", "X-Accepted-OAuth-Scopes": "repo"}, None, ["repo"]),
    ({"X-OAuth-Scopes": "repo", "X-Accepted-OAuth-Scopes": "admin, repo"}, None, []),
    ({"X-OAuth-Scopes": "", "X-Accepted-OAuth-Scopes": ""}, None, []),
    ({}, {"error": {"required_scopes": "contacts.read, deals.read"}}, ["contacts.read", "deals.read"]),
    ({}, {"detail": "the scope is missing", "scopes": [{"name": "a"}], "scope": "+436641234567"}, []),
]


@pytest.mark.parametrize(("headers", "body", "scopes"), SCOPES)
def test_a_missing_scope_is_read_from_headers_and_bodies(
    headers: dict[str, str], body: Json, scopes: list[str]
) -> None:
    assert lacking(body, headers) == scopes


def test_a_missing_scope_is_for_the_vendor_s_administrator_whatever_the_status() -> None:
    error = error_of("login", "crm: Acme", 401, scopes=["contacts.read"])
    assert (error.who, "(missing: contacts.read)" in str(error)) == ("vendor", True)


@pytest.mark.parametrize(("status", "place", "said"), [(302, "/users/sign_in?a=1", True), (301, "/v2/contacts", False)])
def test_a_redirect_to_a_log_in_is_told(status: int, place: str, said: bool) -> None:
    assert bool(to_a_log_in(status, {"Location": place})) is said


PAGES = [
    (b"<html><form><input type='password'>", ProviderMisread, "administrator"),
    (b"<!doctype html><title>Anmeldung</title>", ProviderMisread, "administrator"),
    (b"<html><title>Just a moment...</title>", ProviderMisread, "vendor"),
    (b"\xef\xbb\xbf<html><h1>Wartungsarbeiten</h1>", ProviderUnreachable, "vendor"),
    (b"<html><body>It works!</body>", ProviderMisread, "developer"),
    (b"nothing", ProviderMisread, "developer"),
]


@pytest.mark.parametrize(("body", "kind", "who"), PAGES)
def test_a_page_in_the_place_of_an_answer_says_who_must_act(body: bytes, kind: type[ProviderError], who: str) -> None:
    error = not_json("crm", body, "text/html")
    assert (type(error), error.who) == (kind, who)
