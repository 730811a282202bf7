"""Which addresses may be connected to: what a name means is looked at when the connection is made, and not before.

A name that is checked and then looked up again may lead elsewhere the second time (DNS rebinding); here the very
address that a socket is made for is checked.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeAlias

from aiohttp.connector import AddrInfoType

from routing_engine.connections import Network

Address: TypeAlias = IPv4Address | IPv6Address

#: Where IPv4 addresses stand in IPv6 ones, beside the mapped ones: translators (RFC 6052) pass it on to the former.
_TRANSLATED = ip_network("64:ff9b::/96")


class AddressRefused(OSError):
    """An address that must not be connected to."""


def may_reach(address: Address, private: Sequence[Network], plain: bool) -> bool:
    """Return whether an address may be connected to: a public one, or one of those that are listed.

    `plain` is for what goes in the clear: that reaches listed ones only.
    """
    forms = tuple(_forms(address))
    if any(form in network for form in forms for network in private if form.version == network.version):
        return True
    return not plain and all(form.is_global and not form.is_multicast for form in forms)


def _forms(address: Address) -> Iterator[Address]:
    """Yield an address, and the IPv4 one that stands in it."""
    if isinstance(address, IPv4Address):
        yield address
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped  # the address itself counts as private in any case
        return
    yield address
    if address.sixtofour is not None:
        yield address.sixtofour
    if address in _TRANSLATED:
        yield IPv4Address(int(address) & 0xFFFFFFFF)


class GuardedSockets:
    """Makes the sockets of connections, for aiohttp: only to addresses that may be reached."""

    def __init__(self, private: Sequence[Network], plain: bool) -> None:
        self._private, self._plain = private, plain

    def __call__(self, info: AddrInfoType) -> socket.socket:
        """Return a socket for an address. Raise `AddressRefused`."""
        family, kind, protocol, _, place = info
        if not may_reach(_address(str(place[0])), self._private, self._plain):
            way = "over http only listed ones are reached" if self._plain else "it is not public"
            raise AddressRefused(f"the address {place[0]} is refused: {way}; list it in 'private' if it is meant")
        return socket.socket(family, kind, protocol)


def _address(host: str) -> Address:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        # `127.1` and `2130706433`: the system would make an address of it, which nobody has looked at.
        raise AddressRefused(f"the address '{host[:80]}' is refused: write it in full") from None
