"""What goes over the wire to a middleware: pure functions from a query to parameters, addresses and sentences."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import quote

import aiohttp

from routing_engine.core.ports import Query
from routing_engine.providers.answers import RecordShape
from routing_engine.providers.http.settings import HttpSettings


def parameters(query: Query, settings: HttpSettings, shape: RecordShape) -> dict[str, str]:
    """Return the parameters of a look-up, in the order they are sent. A hidden number is not among them.

    A search by the caller sends `customer_id`; every other one also the value, as `customer_input`, and the field it
    is searched in. The result is empty when nothing is left to search by: then nobody may be asked, because the
    answer would be anybody's.
    """
    names, number = settings.parameters, query.number
    searched = "" if query.by_caller else query.value
    field = "" if query.by_caller or not query.field else shape.their_name(query.field)
    asked = bool(number if query.by_caller else searched)
    if not asked or not ((names.customer_id and number) or (names.customer_input and searched)):
        return {}
    pairs = (
        (names.customer_id, number),
        (names.field_name, shape.field_name),
        (names.customer_input, searched),
        (names.customer_input_field_name, field),
    )
    return {name: value for name, value in pairs if name and value}


def with_query(address: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Append parameters to an address that may have some; every character that means something is percent-encoded.

    The comma stays: between the names of `field_name` it separates, as PBXware writes it.
    """
    query = "&".join([f"{_encoded_name(name)}={_encoded(value)}" for name, value in pairs])
    if not query:
        return address
    if "?" not in address:
        return f"{address}?{query}"
    return address + query if address[-1] in "?&" else f"{address}&{query}"


def _encoded(text: str) -> str:
    return quote(text, safe=",", errors="replace")


@lru_cache(maxsize=256)
def _encoded_name(name: str) -> str:
    """Names are few and come back with every request; values are the callers' and are not kept."""
    return _encoded(name)


def what_broke(error: Exception) -> str:
    """Say in words why there was no answer. The error's own text is not used: it may hold the caller's number."""
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        return "the TLS connection cannot be made; look at the certificates"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host name of the address is not known"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "nobody accepts connections at the address"
    return "the connection broke before the answer was complete"


#: A server that wants longer is asked again after this: it may have been restarted with other limits.
_LONGEST_WAIT_S = 300.0


def retry_after_s(text: str, now: float) -> float | None:
    """Read `Retry-After` (RFC 9110, 10.2.3): seconds, or a date; None when there is none that can be read."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(float(text), _LONGEST_WAIT_S)
    try:
        wait_s = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait_s, 0.0), _LONGEST_WAIT_S)
