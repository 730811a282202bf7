"""Answers that are not JSON: the charset that a header says, and what is wrong with the others."""

from __future__ import annotations

import gzip
import json

import pytest

from routing_engine.providers.answers.not_json import read_declared_json, why_not_json

NAME = {"n": "Jörg"}
TEXT = json.dumps(NAME, ensure_ascii=False)


@pytest.mark.parametrize(
    ("charset", "body"),
    [
        ("utf-8", TEXT.encode()),
        ("utf-8", TEXT.encode("utf-8-sig")),
        ("iso-8859-1", TEXT.encode("latin-1")),
        ('"ISO-8859-15"', TEXT.encode("latin-1")),
        ("Windows-1252", TEXT.encode("latin-1")),
        ("latin1", TEXT.encode("latin-1")),
        ("utf-16", TEXT.encode("utf-16")),
        ("iso-8859-1", TEXT.encode()),
        ("nonsense", TEXT.encode()),
    ],
)
def test_an_answer_is_read_as_utf_8_or_as_its_header_says(charset: str, body: bytes) -> None:
    assert read_declared_json(body, f"application/json; charset={charset}") == NAME


@pytest.mark.parametrize(
    ("body", "content_type", "why"),
    [
        (b"", "", "is empty: JSON is expected"),
        (b" \r\n", "application/json", "is empty: JSON is expected"),
        (
            TEXT.encode("latin-1"),
            "application/json",
            "is not JSON: it is not UTF-8; the server does not say what it is",
        ),
        (
            TEXT.encode("latin-1"),
            "application/json; charset=utf-8",
            "is not JSON: it is not UTF-8; the server says that it is utf-8",
        ),
        (
            TEXT.encode("latin-1"),
            "text/x; charset=idna",
            "is not JSON: it is not UTF-8; the server says that it is idna",
        ),
        (
            TEXT.encode("utf-16"),
            "",
            "is not JSON: it is not UTF-8 but looks like UTF-16; the server does not say what it is",
        ),
        (gzip.compress(b"{}", mtime=0), "", "is not JSON: it is compressed (gzip), and its headers do not say so"),
        (b"<!DOCTYPE html><html>Log in", "text/html", "is not JSON: it is a page (HTML)"),
        (b"\n <HTML lang=en>", "", "is not JSON: it is a page (HTML)"),
        (b'<br /><b>Warning</b>{"id": 7}', "", "is not JSON: it begins with <br"),
        (b'<?xml version="1.0"?>', "", "is not JSON: it begins with <?xml"),
        (b'Warning: Undefined index{"id": 7}', "", "is not JSON: it begins with Warning"),
        (b"PHP Fatal error: x", "", "is not JSON: it begins with PHP Fatal"),
        (b"\x1c", "", "is not JSON: it begins with something else than { or ["),
        (b"\xef\xbb\xbf", "", "is not JSON: it begins with something else than { or ["),
        (b"Anna Gruber;gold", "", "is not JSON: it begins with something else than { or ["),
        (b")]}'\n{}", "", "is not JSON: it begins with something else than { or ["),
        (b'{"n": NaN}', "", "is not JSON: it holds NaN, which JSON does not know"),
        (b"[-Infinity]", "", "is not JSON: it holds -Infinity, which JSON does not know"),
        (b"[1e999]", "", "is not JSON: it holds a number that is too large, which JSON does not know"),
        (b'{"n": "J', "", "is not JSON: it is cut off"),
        (b'{"n": [1, 2', "", "is not JSON: it is cut off"),
        (b'{"a": 1}{"a": 2}', "", "is not JSON: something follows behind its end"),
        (b"{'n': 1}", "", "is not JSON: at character 2 a name in double quotes is missing"),
        (b'{"a": 1,}', "", "is not JSON: "),
        (b'{"a": None}', "", "is not JSON: it breaks the rules of JSON at character 7"),
        (b"[" * 100_000, "", "is not JSON: it is nested too deeply"),
        (b"9" * 5000, "", "is not JSON: it holds a number that is too long"),
        (b"1," * 2_000_000, "", "has more than 250,000 values"),
    ],
)
def test_what_is_wrong_with_an_answer_is_said(body: bytes, content_type: str, why: str) -> None:
    assert why_not_json(body, content_type).startswith(f"the answer {why}")


def test_nothing_that_an_answer_says_of_anybody_is_shown() -> None:
    bodies = (
        b"Gruber",
        b"<Gruber",
        b'{"Gruber"',
        b"{'Gruber'",
        b'["Gruber',
        b"<br>Gruber",
        b"\xffGruber",
        b"Gruber\x00",
    )
    assert not any("Gruber" in why_not_json(body) for body in bodies)
