"""What the headers of an answer say: next pages, cookies, times to wait; and conditions on what it holds."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from routing_engine.providers.answers.path import read_path
from routing_engine.providers.crm.outcome import holds, read_body
from routing_engine.providers.net.headers import header_value
from routing_engine.providers.net.http_client import HttpAnswer
from routing_engine.retry_after import seconds_until

NOW = 1_795_251_900.0  # 2026-11-21T09:05:00Z


@pytest.mark.parametrize(
    ("links", "found"),
    [
        (['<https://a.example/x?p=2>; rel="next"'], "https://a.example/x?p=2"),
        (['<https://a.example/1>;rel="first",<https://a.example/2,3>;rel="next"'], "https://a.example/2,3"),
        (["</1>; rel=first", '</2>; title="a"; rel=next; x=y'], "/2"),
        (['</9>; rel="last next"'], "/9"),
        (['</1>; rel="prev", </2>; rel="nextish"'], ""),
        (['</1>; title="rel=next"'], ""),
        (["nonsense"], ""),
        ([], ""),
    ],
)
def test_the_next_page_is_told_by_the_header_link(links: list[str], found: str) -> None:
    assert header_value(CIMultiDict([("Link", one) for one in links]), "header:link") == found


def test_a_header_and_a_cookie_are_found_among_others() -> None:
    headers = CIMultiDict([("X-Cursor", " c2 "), ("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "SID=x=y; HttpOnly")])
    assert header_value(headers, "header: x-cursor") == "c2"
    assert header_value(headers, "cookie:SID") == "x=y"
    assert header_value(headers, "cookie:sid") == header_value(headers, "header:X-Other") == ""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("24", 24),
        ("0.53", 0.53),
        (str(int(NOW) + 60), 60),
        (str(int(NOW) * 1000 + 60_500), 60.5),
        (str(int(NOW) - 60), 0),
        ("2026-11-21T09:06:00Z", 60),
        ("2026-11-21 09:06:00", 60),
        ("Sat, 21 Nov 2026 09:06:00 GMT", 60),
        ("limit=240, remaining=0, reset=8", 8),
        ('"default";r=0;t=30', 30),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("9" * 400, None),
        (f"Sat, 21 Nov {'9' * 20} 09:06:00 GMT", None),
    ],
)
def test_a_time_to_wait_is_read_however_it_is_told(text: str, seconds: float | None) -> None:
    assert seconds_until(text, NOW) == seconds


@pytest.mark.parametrize(
    ("value", "is_something"),
    [(None, False), (False, False), (0, False), ("", False), ([], False), ({}, False), ("x", True), ([0], True)],
)
def test_any_is_anything_but_nothing(value: object, is_something: bool) -> None:
    assert holds(((read_path("error"), None),), {"error": value}) is is_something


@pytest.mark.parametrize(("wanted", "fits"), [("text/html", True), ("text/html; charset=utf-8", True), ("0", False)])
def test_a_condition_may_be_on_a_header(wanted: str, fits: bool) -> None:
    headers = CIMultiDict({"Content-Type": "text/html; charset=utf-8"})
    assert holds(((read_path("header:content-type"), frozenset({wanted})),), None, headers) is fits


@pytest.mark.parametrize(
    ("charset", "body"),
    [
        ("utf-8", '{"n": "Jörg"}'.encode()),
        ("iso-8859-1", '{"n": "Jörg"}'.encode("latin-1")),
        ('"Windows-1252"', '{"n": "Jörg"}'.encode("cp1252")),
    ],
)
def test_an_old_system_may_write_as_its_header_says(charset: str, body: bytes) -> None:
    headers = CIMultiDict({"Content-Type": f"application/json; charset={charset}"})
    assert read_body(HttpAnswer(200, body, None, headers)) == {"n": "Jörg"}


@pytest.mark.parametrize("charset", ["utf-8", "rot13", "idna", "nonsense"])
def test_what_is_not_what_its_header_says_is_no_json(charset: str) -> None:
    headers = CIMultiDict({"Content-Type": f"application/json; charset={charset}"})
    assert read_body(HttpAnswer(200, b'{"n": "J\xf6rg"}', None, headers)) is None
