"""Bodies that should be JSON: read in the charset that their header says, and what is wrong with those that are none.

A sentence never shows what an answer says: it may be somebody's record. At most a tag, or a word that servers write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from routing_engine.core.model import Json
from routing_engine.errors import ProviderError, ProviderMisread, ProviderUnreachable, Who
from routing_engine.providers.answers.values import read_json

_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:\-]{1,40})", re.I)
#: What is read; others could unfold, or run code of the machine's.
_READ = re.compile(r"(us-ascii|iso-?8859-[0-9]{1,2}|latin-?1|(windows-|cp)125[0-9]|utf-16(le|be)?)\Z", re.I)
_TAG = re.compile(r"<(\?xml|/?[bip]|br|div|pre|script|span|table|style|h[1-6]|font|center|!--|soap|error)\b", re.I)
_PAGE = re.compile(r"<(!doctype\s+html|html|head|body|title)\b", re.I)
#: What a page is about, who must act then, and what to do: the first that fits. Languages as vendors write them.
_PAGES: Sequence[tuple[re.Pattern[str], str, Who, str]] = (
    (
        re.compile(r"cf-chl|captcha|just a moment|verify (that )?you are (a )?human|are you a robot", re.I),
        "it is a page (HTML) that wants to see a person",
        "vendor",
        "let the address of this machine through, without a riddle",
    ),
    (
        re.compile(r"type\s*=\s*[\"']?password|<title>[^<]{0,60}(log ?-?in|sign ?-?in|anmeld|connexion|acceso)", re.I),
        "it is a page (HTML) with a log-in",
        "administrator",
        "the credentials are not taken, or the address is the one for people: look at both",
    ),
    (
        re.compile(r"maintenance|wartung|mantenimiento|manutenzione|temporarily (unavailable|down)|be back soon", re.I),
        "it is a page (HTML) about maintenance",
        "vendor",
        "",
    ),
)
_LOOKED_AT = 20_000
#: What programs print before their answer, or in its place.
_SAYS = re.compile(
    r"(PHP )?(Warning|Notice|Deprecated|Fatal|Error|Exception|Traceback|SQLSTATE|Internal|Bad|Forbidden|Unauthorized|"
    r"Access|Not|OK|Service|Gateway)\b"
)


def read_declared_json(body: bytes, content_type: str = "") -> Json:
    """Read JSON in UTF-8, or in the charset that its header says. Raises `ValueError` with what is wrong with it."""
    try:
        return read_json(_in_utf8(body, content_type))
    except (ValueError, LookupError) as error:
        raise ValueError(f"the answer {_why(body, content_type, error)}") from None


def why_not_json(body: bytes, content_type: str = "") -> str:
    """Return what is wrong with a body that is not JSON; "" for one that is."""
    try:
        read_declared_json(body, content_type)
    except ValueError as error:
        return str(error)
    return ""


def not_json(name: str, body: bytes, content_type: str = "") -> ProviderError:
    """Return the error for a body that is not JSON, in the name of an integration."""
    sentence = f"{name}: {why_not_json(body, content_type)}"
    text = body[:_LOOKED_AT].decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    about, who, remedy = _page_about(text) if _PAGE.match(text) else ("", "developer", "")
    if about.endswith("maintenance"):
        return ProviderUnreachable(sentence, who=who)  # it does not work now, whatever its status says
    return ProviderMisread(sentence, who, remedy)


def _page_about(text: str) -> tuple[str, Who, str]:
    """Return what a page is, who must act and what to do."""
    for about, what, who, remedy in _PAGES:
        if about.search(text[:_LOOKED_AT]):
            return what, who, remedy
    return "it is a page (HTML)", "developer", ""


def _in_utf8(body: bytes, content_type: str) -> bytes:
    """Return the body as JSON is written. UTF-8 goes before a header: many servers name a charset out of habit."""
    charset = _charset(content_type) if "=" in content_type else ""
    if not charset or not _READ.match(charset) or (not charset.lower().startswith("utf-16") and _is_utf8(body)):
        return body
    return body.decode(charset).encode()


def _charset(content_type: str) -> str:
    found = _CHARSET.search(content_type)
    return found[1] if found else ""


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _why(body: bytes, content_type: str, error: Exception) -> str:
    """Say what is wrong, as the rest of a sentence that begins with "the answer"."""
    if not body.strip():
        return "is empty: JSON is expected"
    if body.startswith(b"\x1f\x8b"):
        return "is not JSON: it is compressed (gzip), and its headers do not say so"
    if b"\x00" in body[:200]:
        return f"is not JSON: it is not UTF-8 but looks like UTF-16{_said(content_type)}"
    if isinstance(error, UnicodeError | LookupError):
        return f"is not JSON: it is not UTF-8{_said(content_type)}"
    text = body.decode("utf-8-sig", "replace").lstrip()
    if text.startswith("<"):
        found = _TAG.match(text)
        page = _page_about(text)[0] if _PAGE.match(text) else ""
        what = page or f"it begins with {found[0] if found else '<'}"
        return f"is not JSON: {what}"
    return f"is not JSON: {_broken_rule(text, error)}" if isinstance(error, json.JSONDecodeError) else _refused(error)


def _said(content_type: str) -> str:
    charset = _charset(content_type)
    return f"; the server says that it is {charset}" if charset else "; the server does not say what it is"


def _refused(error: Exception) -> str:
    """Say what `read_json` refuses though it follows the rules: NaN, what is too deep or too much."""
    sentence = str(error)
    if sentence.startswith("has "):
        return sentence
    # Python reads no whole number of more than some thousand digits, and says so in words of its own.
    return f"is not JSON: {sentence if sentence.startswith('it ') else 'it holds a number that is too long'}"


def _broken_rule(text: str, error: json.JSONDecodeError) -> str:
    if found := _SAYS.match(text):
        return f"it begins with {found[0]}"
    if not text or text[0] not in '{["-0123456789tfn':
        return "it begins with something else than { or ["
    if error.msg.startswith("Unterminated") or error.pos >= len(error.doc.rstrip()):
        return "it is cut off"
    if error.msg == "Extra data":
        return "something follows behind its end"
    if error.msg.startswith("Expecting property name"):
        return f"at character {error.pos + 1} a name in double quotes is missing"
    return f"it breaks the rules of JSON at character {error.pos + 1}"
