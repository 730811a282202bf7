"""Every fault of a middleware's YAML, noted with its place and never with its secret."""

from __future__ import annotations

import pytest

from .conftest import SECRETS, settings_of

FAULTS = [
    ("method: GET", "'address' is missing"),
    ("address: ftp://e.x/", "'address' is not an http or https address"),
    ("address: //e.x/", "'address' is not an http or https address"),
    ("address: https://e.x:99999/", "'address' is not an http or https address"),
    (
        "address: https://me:pw@e.x/",
        "'address' holds a user or a password: they belong to auth: {basic: {user, password}}",
    ),
    ("address: https://e.x/#a", "'address' ends in a fragment (#), which is never sent"),
    ("address: https://e.x/ö", "'address' holds a space or a character that is not ASCII"),
    ("address: https://e.x/\nmethod: PUT", "'method' cannot be 'PUT'"),
    ("address: https://e.x/\nmax_answer_bytes: 0", "'max_answer_bytes' must be a number from 1024"),
    ("address: https://e.x/\ntimeout: 3", "the integration 'erp' has no key 'timeout'"),
    ("address: https://e.x/\nparameters: {preset: voice}", "'preset' cannot be 'voice'"),
    ("address: https://e.x/\nparameters: {customer: x}", "'parameters' has no key 'customer'"),
    ("address: https://e.x/\nparameters: {customer_id: }", "'customer_id' has no value"),
    ("address: https://e.x/\nparameters: {customer_id: field_name}", "the parameter 'field_name' would be sent twice"),
    ("address: https://e.x/?customer_id=1", "the parameter 'customer_id' would be sent twice"),
    ("address: https://e.x/\nauth: {bearer: s3cret-t0ken}", "'bearer' holds a secret in plain text"),
    ("address: https://e.x/\nauth: {bearer: '${UNSET}'}", "the environment variable UNSET is not set"),
    ("address: https://e.x/\nauth: {bearer: '${BREAK}'}", "the value of the header 'Authorization' cannot be sent"),
    ("address: https://e.x/\nauth: {headers: {X-A: '${BREAK}'}}", "the value of the header 'X-A' cannot be sent"),
    ("address: https://e.x/\nauth: {headers: {X-Token: s3cret-t0ken}}", "'X-Token' holds a secret in plain text"),
    ("address: https://e.x/\nauth: {headers: {'X A': b}}", "the header 'X A' cannot be set"),
    ("address: https://e.x/\nauth: {headers: {Accept: text/html}}", "the header 'Accept' cannot be set"),
    ("address: https://e.x/\nauth: {hmac: {secret: '${TOKEN}', header: 'a:'}}", "the header 'a:' cannot be set"),
    ("address: https://e.x/\nauth: {api_key: {value: '${TOKEN}'}}", "'name' is missing"),
    ("address: https://e.x/\nauth: {api_key: {name: k, value: '${TOKEN}', in: cookie}}", "'in' cannot be 'cookie'"),
    ("address: https://e.x/\nauth: {oauth2: {token_url: https://e.x/}}", "'client_secret' is missing"),
    ("address: https://e.x/\nauth: {digest: x}", "'auth' has no key 'digest'"),
    ("address: https://e.x/\nauth: token", "'auth' must be a mapping of keys"),
    (
        "address: https://e.x/\nauth: {bearer: '${TOKEN}', basic: {user: a, password: '${PASSWORD}'}}",
        "'auth' has basic and bearer at once",
    ),
    (
        "address: https://e.x/\nauth: {bearer: '${TOKEN}', headers: {authorization: '${TOKEN}'}}",
        "'auth' sets the header 'authorization' twice",
    ),
    ("address: https://e.x/\ntls: {ca: missing.pem}", "the file 'missing.pem' of 'ca' is not there"),
    (
        "address: https://e.x/\nmodels: {contact: {fields: {name: $.a b}}}",
        "the field 'name' is not a JSONPath: '$.a b'",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), FAULTS)
def test_a_fault_in_the_settings_is_noted_without_its_secret(
    text: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SECRETS, "BREAK", "a\r\nX-Evil: s3cret-t0ken")
    problems = settings_of(text)[1]
    assert any(problem.startswith(sentence) for problem in problems), problems
    assert "s3cret" not in str(problems)


def test_settings_do_not_show_their_secrets() -> None:
    text = "address: 'https://e.x/?key=${TOKEN}'\nauth: {bearer: '${TOKEN}', hmac: {secret: '${TOKEN}'}}"
    settings, problems = settings_of(text)
    assert problems == []
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("token_url", "fine"),
    [
        ("https://login.example.com/token", True),
        ("http://127.0.0.1:8080/token", True),
        ("http://[::1]/token", True),
        ("http://localhost/token", True),
        ("http://login.example.com/token", False),
        ("http://127.0.0.1.example.com/token", False),
        ("HTTP://10.0.0.1/token", False),
    ],
)
def test_a_secret_goes_to_no_token_address_in_the_clear(token_url: str, fine: bool) -> None:
    auth = f"auth: {{oauth2: {{token_url: '{token_url}', client_id: a, client_secret: '${{TOKEN}}'}}}}"
    _, sentences = settings_of(f"address: https://erp.example.com\n{auth}\n")
    assert sentences == ([] if fine else ["'token_url' would send secrets in the clear"])
