"""How often somebody may be wrong: so many tries within a time, for each address, person or device."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

from routing_engine.core.ports import Clock

#: So many are remembered; whoever has more addresses than that must not fill our memory with them.
_MOST_KNOWN = 10_000


class Tries:
    """Counts tries. `clock` is monotonic, in seconds; after `within_s` the count begins anew."""

    def __init__(self, most: int, within_s: float, clock: Clock) -> None:
        self._most, self._within_s, self._clock = most, within_s, clock
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def are_over(self, who: str) -> bool:
        """Return whether somebody has tried too often, and must wait."""
        began, count = self._counts.get(who, (0.0, 0))
        return count >= self._most and self._clock() - began < self._within_s

    def count(self, who: str, by: int = 1) -> None:
        """Count a try; by -1 one that was right after all."""
        began, count = self._counts.pop(who, (0.0, 0))
        now = self._clock()
        fresh = count <= 0 or now - began >= self._within_s
        self._counts[who] = (now, max(by, 0)) if fresh else (began, max(count + by, 0))
        if len(self._counts) > _MOST_KNOWN:
            self._counts.popitem(last=False)


def place_of(address: str) -> str:
    """Return what an address counts as: of IPv6 the network, because everybody there has a whole one."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(IPv6Address(int(found) >> 64 << 64)) + "/64"
    return address
