"""The section `hub` of engine.yaml: the engine elsewhere that keeps the calls which this one follows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from routing_engine.settings.spec import required, setting
from routing_engine.settings.tls import is_this_machine
from routing_engine.settings.value_types import flag, parsed, random_key
from routing_engine.settings.yaml_reader import Section

_WEB = re.compile(r"https?://[A-Za-z0-9.\-_\[\]:]+/?\Z", re.ASCII)
#: What `check` and the log say of a line that anybody may read.
IN_THE_CLEAR = (
    "the line to the hub is not encrypted: whoever is in between reads every call, and the key",
    "write hub: {address: 'https://...'}, and remove 'plain'",
)


def _address(written: str) -> str:
    if not _WEB.match(written):
        raise ValueError(f"'{written[:80]}' is not the address of an engine")
    return written.rstrip("/")


@dataclass(frozen=True, slots=True)
class HubKeys:
    """How an edge reaches its hub."""

    address: str = required(
        parsed(_address, "http or https address", "write for example https://calls.example.com", {"type": "string"}),
        "",
        "where the hub's listener `http` is reached. This engine connects there, nobody connects here",
        example="'https://calls.example.com'",
    )
    key: str = required(
        random_key(),
        "",
        "the key that the hub has for this engine in `api_keys`, with the right `edge`. Each edge has its own",
        example="'${EDGE_KEY}'",
    )
    plain: bool = setting(
        flag(), False, "true lets the line be `http://` to another machine: whoever is in between reads calls and key"
    )

    @property
    def is_plain(self) -> bool:
        """Whether others could read the line."""
        found = urlsplit(self.address)
        return found.scheme == "http" and not is_this_machine(found.hostname or "")

    def check(self, section: Section, what: str) -> None:
        """Refuse a line that others could read, unless somebody says that it shall be so."""
        if self.is_plain and not self.plain:
            section.note("address", "the key and every call would go to the hub unencrypted", "write https://...")
