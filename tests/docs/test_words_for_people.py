"""What the API refuses is said to people in words of the page, and never with a remedy for administrators."""

from __future__ import annotations

import re

from .pages import REFERENCE, ROOT

#: Codes that no page of ours can be answered with; and those whose sentence says more than we could: which value, and
#: what the other system said.
NOT_FOR_PEOPLE = {
    *("not_http", "not_json", "not_a_form", "not_an_object", "too_long", "bad_version", "bad_host", "no_person"),
    *("no_edge", "cross_site", "not_proved", "unknown_user", "unknown_credentials", "unknown_route"),
    *("unknown_delivery", "no_recording", "no_accounts", "no_oidc", "unknown_address", "wrong_method", "own_pbx"),
    *("too_slow", "no_such_part", "headers_too_large", "key_used", "recording_refused", "no_passwords"),
    # Of administrators, who read the remedy as well.
    *("unknown_revision", "nothing_to_do", "not_writable_here"),
}
SAYS_MORE = {"bad_value", "unknown_field", "crm_refused"}


def test_every_refusal_is_said_in_words_of_the_page() -> None:
    table = (REFERENCE / "api.md").read_text().partition("## Errors")[2]
    codes = {
        code
        for line in table.splitlines()
        if line.startswith("|")
        for code in re.findall(r"`([a-z_]+)`", line.partition("|")[2].partition("|")[2])
    }
    texts = (ROOT / "pages/src/texts.ts").read_text()
    alike = (ROOT / "pages/src/desk.tsx").read_text().partition("ALIKE")[2].partition("};")[0]
    said = {*re.findall(r"^  error_(\w+):", texts, re.M), *re.findall(r"^  (\w+): ", alike, re.M)}
    assert codes - said - NOT_FOR_PEOPLE - SAYS_MORE == set()
