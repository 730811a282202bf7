"""Values that come with a token, and where a captured address may lead."""

from __future__ import annotations

import pytest

from routing_engine.errors import ProviderMisread, ProviderRefused
from routing_engine.providers.oauth.client import read_captured
from routing_engine.providers.oauth.plan import OAuthPlan

PLAN = OAuthPlan("", capture=(("api", "instance_url"),), hosts=("*.salesforce.com", "api.zoho.com", "127.0.0.1"))


@pytest.mark.parametrize(
    "good",
    [
        "https://acme.my.salesforce.com",
        "https://ACME.Salesforce.com/services",
        "https://api.zoho.com:443/",
        "acme.salesforce.com",
        "http://127.0.0.1:8080",
        "00D-org_id",
        "x" * 4096,
        12345,
    ],
)
def test_these_are_taken(good: object) -> None:
    assert read_captured("crm", PLAN, {"instance_url": good}, {}) == {"api": str(good)}


@pytest.mark.parametrize(
    "bad",
    [
        "http://acme.salesforce.com",
        "https://salesforce.com",
        "https://evilsalesforce.com",
        "https://acme.salesforce.com.evil.example",
        "https://acme.salesforce.com@evil.example",
        "https://user@acme.salesforce.com",
        "https://evil.example/acme.salesforce.com",
        "https://evil.example#.salesforce.com",
        "https://evil.example\\.salesforce.com",
        "https://acme.salesforce.com:8443",
        "//evil.example",
        "/evil",
        "evil.example",
        "evil.example/acme",
        "ftp://acme.salesforce.com",
        "javascript://acme.salesforce.com/%0aalert(1)",
        "https://169.254.169.254/",
        "https://[::1]/",
        "http://localhost:1",
    ],
)
def test_these_would_take_our_credentials_elsewhere(bad: str) -> None:
    with pytest.raises(ProviderRefused, match="crm: 'instance_url' of the token address leads to a host") as caught:
        read_captured("crm", PLAN, {"instance_url": bad}, {})
    assert bad not in str(caught.value)


@pytest.mark.parametrize("missing", [None, "", True, [], {}, "a\r\nb", "ä", "x" * 4097])
def test_a_value_that_cannot_be_used_is_misread_unless_there_was_one(missing: object) -> None:
    with pytest.raises(ProviderMisread, match="without 'instance_url'"):
        read_captured("crm", PLAN, {"instance_url": missing}, {})


def test_an_answer_may_leave_out_what_is_known() -> None:
    assert read_captured("crm", PLAN, {}, {"api": "acme.salesforce.com"}) == {"api": "acme.salesforce.com"}


def test_without_hosts_no_address_is_taken() -> None:
    plan = OAuthPlan("", capture=(("api", "api"), ("org", "org")))
    assert read_captured("crm", plan, {"api": "a1", "org": 7}, {}) == {"api": "a1", "org": "7"}
    with pytest.raises(ProviderRefused):
        read_captured("crm", plan, {"api": "https://a.example", "org": 7}, {})
