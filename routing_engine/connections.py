"""What listeners share: who may connect, what is said of those who were refused, the files that connections take."""

from __future__ import annotations

import asyncio
import hmac
import resource
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network

#: This machine, as a connection from itself to itself shows it.
THIS_MACHINE: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
#: Writes a line: how many were refused, from where (with how often), and why.
WarnOfRefused: TypeAlias = Callable[[int, Sequence[str], Sequence[str]], None]

#: A refusal is said once in so long, whoever knocks however often.
SAID_EVERY_S = 60.0
_MOST_ADDRESSES, _MOST_SHOWN = 1000, 10
#: Files that are open beside the calls: look-ups, databases, logs, the loop's own.
_OTHER_FILES = 256


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a listener at this address, or this address at all."""
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


@lru_cache(maxsize=1024)  # a PBX comes from the same one with each call
def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    # an IPv4 peer of a listener on [::] comes as ::ffff:10.0.0.5
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


@dataclass(frozen=True, slots=True)
class AccessList:
    """Who may use a listener: from the addresses `allow` (None: from anywhere), with the word `secret` ("" is none)."""

    allow: Sequence[Network] | None = None
    secret: str = field(default="", repr=False)

    @classmethod
    def of(cls, host: str, allow: Sequence[Network] | None, secret: str = "") -> AccessList:
        """Return that of a listener at `host`: without `allow` one on loopback is for this machine alone."""
        return cls(THIS_MACHINE if allow is None and is_loopback(host) else allow, secret)

    def admits(self, host: str) -> bool:
        """Return whether somebody at this address may connect."""
        if self.allow is None:
            return True
        address = _address(host)
        return address is not None and any(address in network for network in self.allow)

    def knows(self, sent: Iterable[str]) -> bool:
        """Return whether the secret is among the words that were sent, in the same time whatever they are."""
        if not self.secret:
            return True
        wanted = self.secret.encode()
        return max((hmac.compare_digest(word.encode("utf-8", "replace"), wanted) for word in sent), default=False)


#: No list and no secret.
EVERYBODY = AccessList()


class RefusedConnections:
    """Counts those who were refused, and lets it be said: the first at once, then, each minute, the others."""

    def __init__(self, warn: WarnOfRefused, every_s: float = SAID_EVERY_S) -> None:
        self._warn, self._every_s = warn, every_s
        self._addresses: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        self.count = 0

    def note(self, host: str, why: str) -> None:
        """Count one. `why` is one of a few sentences of ours."""
        self.count += 1
        self._reasons[why] += 1
        if host in self._addresses or len(self._addresses) < _MOST_ADDRESSES:
            self._addresses[host] += 1
        if self._timer is None:
            self._say()

    def close(self) -> None:
        """Say what has not been said yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._say()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _say(self) -> None:
        self._timer = None
        count = self._reasons.total()
        if not count:
            return
        addresses = [f"{host} ({times})" for host, times in self._addresses.most_common(_MOST_SHOWN)]
        self._warn(count, addresses, [*self._reasons])
        self._addresses.clear()
        self._reasons.clear()
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._say)


def make_room_for(connections: int) -> int:
    """Raise the process's limit of open files to what so many connections need; return how many connections it takes.

    A shell gives 1,024 files, and each connection is one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = connections + _OTHER_FILES
    if soft != unlimited and soft < wanted:
        soft = wanted if hard == unlimited else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == unlimited else max(0, min(connections, soft - _OTHER_FILES))
