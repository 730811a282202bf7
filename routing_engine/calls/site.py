"""What is ours in a PBX: which channels are telephones, which lead outside, who has which telephone, how numbers read.

A channel is called `PJSIP/201-0000002f`, a half of a Local one `Local/201@agents-0000001a;2`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Literal, TypeAlias

from routing_engine.core.phone import read_number

#: `local` and `other` (announcers, recorders, messages) are nobody: they only lead from one channel to the next.
ChannelKind: TypeAlias = Literal["phone", "trunk", "local", "other"]

_SERIAL = re.compile(r"-[0-9a-f]+(?:;[12])?\Z")
# While Asterisk exchanges two channels, one of them has a name of this kind for a moment.
_PASSING = re.compile(r"\A(?:AsyncGoto|Surrogate|Bridge)/|<(?:ZOMBIE|MASQ)>\Z")
_INSTEAD = "{extension}"
#: Without a + or a 0 in front, shorter digits may be an extension, or a code of the dialplan.
_OUTSIDE_LEAST = 9
#: Dial strings of PJSIP: `+43123@trunk`, `trunk/sip:+43123@host;user=phone`, `sip:+43123@host`.
_AROUND = re.compile(r"\A(?:.*/)?(?:sips?:|tel:)?([^@;/]*)")


@dataclass(frozen=True, slots=True)
class PbxSite:
    """One PBX as its file in `pbxs/` describes it. `users` are keys of users.yaml by phone (`main/201`)."""

    name: str
    phones: str = "PJSIP/{extension}"
    trunks: tuple[str, ...] = ()
    region: str = ""
    users: Mapping[str, str] = field(default_factory=dict)

    def kind(self, channel: str) -> ChannelKind:
        """Return what a channel is, by its name. A trunk is told first: its name may look like a telephone's."""
        return _kind(device(channel), self.phones, self.trunks)

    def phone(self, channel: str) -> str:
        """Return the telephone of a channel as calls name it: `main/201`."""
        before, _, behind = self.phones.partition(_INSTEAD)
        name = device(channel)
        return self.extension_phone(name[len(before) : len(name) - len(behind)])

    def extension_phone(self, extension: str) -> str:
        """Return the telephone of an extension as calls name it."""
        return f"{self.name}/{extension}"

    def number(self, text: str | None) -> str | None:
        """Return a number in E.164 where it reads as one; an extension or a code as it is; None for a hidden one."""
        if not text:
            return None
        read = read_number(text, self.region)
        if read is not None:
            return read.e164
        return text if re.fullmatch(r"[*#0-9]*[*#][*#0-9]*", text) else None

    def outside(self, text: str | None) -> str | None:
        """Return the number in E.164 if it can only be one of the public network."""
        number = self.number(text)
        if not text or number is None or not number.startswith("+"):
            return None
        return number if text.strip()[0] in "+0" or len(text) >= _OUTSIDE_LEAST else None

    def dialled(self, dial_string: str | None) -> str | None:
        """Return the number within a dial string, as `number` does; as it is where it is none."""
        found = _AROUND.match(dial_string or "")
        return self.number(found[1]) or found[1] or None if found else None


@lru_cache(maxsize=4096)
def device(channel: str) -> str:
    """Return the name of a channel without what changes from call to call: `PJSIP/201`, `Local/201@agents`."""
    return _SERIAL.sub("", _PASSING.sub("", channel))


def halves(channel: str) -> tuple[str, str] | None:
    """Return the name that both halves of a Local channel share, and which one this is (`1`, `2`); None for others."""
    name, _, half = channel.rpartition(";")
    return (name, half) if half in ("1", "2") and name.startswith("Local/") else None


@lru_cache(maxsize=4096)
def _kind(name: str, phones: str, trunks: tuple[str, ...]) -> ChannelKind:
    if name.startswith("Local/"):
        return "local"
    if any(fnmatchcase(name, pattern) for pattern in trunks):
        return "trunk"
    before, _, behind = phones.partition(_INSTEAD)
    within = name.startswith(before) and name.endswith(behind) and len(name) > len(before) + len(behind)
    return "phone" if within else "other"
