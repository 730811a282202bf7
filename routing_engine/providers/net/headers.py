"""What the headers of an answer say: where the next page is, a session's cookie."""

from __future__ import annotations

import re
from collections.abc import Mapping

from multidict import MultiMapping

_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_NEXT = re.compile(r";\s*rel\s*=\s*(?:next\b|\"(?:[^\"]*\s)?next(?:\s[^\"]*)?\")", re.I)


def header_value(headers: Mapping[str, str], name: str) -> str:
    """Return a value of an answer's headers, "" when there is none.

    `name` is `header:NAME` or `cookie:NAME`. Of a header `Link` (RFC 8288) it is the address of the next page.
    """
    kind, _, name = name.partition(":")
    name = name.strip()
    if kind == "cookie":
        # Only the value is wanted: path, age and flags of a cookie are the browser's business.
        pairs = (one.partition(";")[0].partition("=") for one in _all(headers, "Set-Cookie"))
        return next((value.strip() for key, _, value in pairs if key.strip() == name), "")
    if name.lower() != "link":
        return headers.get(name, "").strip()
    links = _LINK.findall(", ".join(_all(headers, name)))
    return next((address.strip() for address, about in links if _NEXT.search(about)), "")


def names_header(path: str) -> bool:
    """Return whether a path leads into the headers of an answer: `header:NAME` or `cookie:NAME`."""
    return path.startswith(("header:", "cookie:"))


def _all(headers: Mapping[str, str], name: str) -> list[str]:
    return headers.getall(name, []) if isinstance(headers, MultiMapping) else [headers[name]] if name in headers else []
