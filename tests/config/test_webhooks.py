"""webhooks/*.yaml: what is read, and each fault with its line and remedy."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from routing_engine.config.webhooks import read_webhook
from routing_engine.settings.webhook import key_bytes
from routing_engine.settings.yaml_reader import Problems

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRETS = {"KEY": KEY, "NEXT": KEY, "SHORT": "whsec_c2hvcnQ=", "BARE": "c2hvcnQ=", "ODD": "whsec_no-base64-at-all"}
HOOK = "url: https://automation.example.com/calls\nsecret: '${KEY}'\nevents: [call.ended, call.missed]\n"


def notes() -> Problems:
    return Problems("webhooks/automation.yaml", SECRETS.get)


def problems_of(text: str, name: str = "automation") -> list[str]:
    found = notes()
    assert read_webhook(name, text, found, ["crm"]) is None
    return [str(one) for one in found.problems]


def test_a_webhook_needs_an_address_a_key_and_events() -> None:
    found = read_webhook("automation", HOOK, notes(), ["crm"])
    assert found is not None
    assert (found.url, found.secret, found.events, found.private) == (
        "https://automation.example.com/calls",
        (KEY,),
        ("call.ended", "call.missed"),
        (),
    )


def test_while_a_key_is_changed_over_there_are_two() -> None:
    found = read_webhook("automation", HOOK.replace("'${KEY}'", "['${KEY}', '${NEXT}']"), notes(), [])
    assert found is not None
    assert found.secret == (KEY, KEY)


def test_plain_http_is_for_private_addresses_that_are_listed() -> None:
    plain = HOOK.replace("https", "http")
    found = read_webhook("automation", plain + "private: [10.0.0.0/8]\n", notes(), [])
    assert found is not None
    assert found.private == (ip_network("10.0.0.0/8"),)
    [problem] = problems_of(plain)
    assert problem.startswith("webhooks/automation.yaml:1: 'url' would send calls in the clear over the internet; ")


def test_neither_key_nor_address_is_shown_by_a_repr() -> None:
    found = read_webhook("automation", HOOK, notes(), [])
    assert KEY not in repr(found)
    assert "example.com" not in repr(found)


def test_a_name_of_an_integration_is_taken() -> None:
    [problem] = problems_of(HOOK, "crm")
    assert "there is an integration 'crm' too; give the webhook another name" in problem


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("'${KEY}'", "'${SHORT}'", ":2: the key of 'secret' has 5 bytes; 24 to 64 are allowed"),
        ("'${KEY}'", "'${BARE}'", ":2: the key of 'secret' does not begin with whsec_"),
        ("'${KEY}'", "'${ODD}'", ":2: the key of 'secret' is not base64 behind its beginning; keep its beginning"),
        ("'${KEY}'", "[]", ":2: 'secret' names no key"),
        ("'${KEY}'", KEY, ":2: 'secret' holds a secret in plain text"),
        ("call.ended", "call.over", ":3: there is no event 'call.over'"),
        ("[call.ended, call.missed]", "[]", ":3: 'events' names none"),
        ("https://automation.example.com", "automation", ":1: 'url' is not an http or https address"),
        ("https://", "https://user:word@", ":1: 'url' is not an http or https address"),
    ],
)
def test_each_fault_has_its_line_and_says_what_to_do(old: str, new: str, fault: str) -> None:
    [problem] = problems_of(HOOK.replace(old, new))
    assert problem.startswith(f"webhooks/automation.yaml{fault}")
    assert "; " in problem


def test_no_problem_repeats_a_key() -> None:
    assert not any("c2hvcnQ" in one for one in problems_of(HOOK.replace("KEY", "SHORT")))


def test_a_key_may_lack_its_padding() -> None:
    assert len(key_bytes("whsec_" + "A" * 34)) == 25
