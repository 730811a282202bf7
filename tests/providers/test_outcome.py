"""What a status of HTTP means, and the error that follows: one table for all that speak HTTP."""

from __future__ import annotations

import pytest

from routing_engine.errors import (
    ProviderError,
    ProviderMisread,
    ProviderRefused,
    ProviderThrottled,
    ProviderUnreachable,
)
from routing_engine.providers.answers.outcome import LONGEST_WAIT_S, OUTCOMES, error_of, outcome_of_status

STATUSES = [
    *((status, "fine") for status in (200, 201, 203, 205, 206, 299)),
    (204, "no_record"),
    *((status, "refused") for status in (199, 300, 302, 399, 400, 402, 403, 404, 407, 410, 499)),
    (401, "login"),
    (429, "throttled"),
    *((status, "again") for status in (502, 503, 504)),
    *((status, "down") for status in (500, 501, 505, 599)),
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
        for status, what in ((401, "credentials"), (403, "credentials"), (407, "credentials"))
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
