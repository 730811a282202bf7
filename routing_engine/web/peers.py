"""Where a request comes from: the address behind a proxy, whether it came over TLS, whether a page of ours sent it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from aiohttp import web

from routing_engine.connections import THIS_MACHINE, Network
from routing_engine.web.requests import ApiError, Peer

#: A page of ours sends it with what changes something; a form or a picture of another site cannot.
HEADER = "X-Routing-Engine"


def peer_of(request: web.BaseRequest, proxies: Sequence[Network] = ()) -> Peer:
    """Return where a request comes from. What a proxy says is believed from those in `proxies`, and this machine."""
    address = request.remote or ""
    secure = request.transport is not None and request.transport.get_extra_info("ssl_object") is not None
    forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    if _is_in(address, (*proxies, *THIS_MACHINE)):
        # The last entry is what the proxy itself has seen; those before it anybody may have written.
        address = forwarded if _is_address(forwarded) else address
        secure = secure or request.headers.get("X-Forwarded-Proto", "").strip().lower() == "https"
    return Peer(address, secure, _is_in(address, THIS_MACHINE))


def need_own_page(headers: Mapping[str, str], address: str = "") -> None:
    """Raise `ApiError` for a request of another site that rides on the cookie of the browser.

    Ours are the host that was asked for, and the pages' `address`: a proxy may ask for us by another name.
    """
    origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site", "same-origin")
    ours = (headers.get("Host", "").lower(), _host(address))
    own = origin is None or (_host(origin) != "" and _host(origin) in ours)
    if headers.get(HEADER) != "1" or not own or site not in ("same-origin", "none"):
        raise ApiError(403, "cross_site", "this did not come from a page of the engine", f"send '{HEADER}: 1'")


def _host(origin: str) -> str:
    return origin.partition("://")[2].lower()


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return any(found in network for network in networks)
