"""The section `pages` of engine.yaml: what the pages for people may do beside being shown."""

from __future__ import annotations

import re
from dataclasses import dataclass

from routing_engine.settings.spec import setting
from routing_engine.settings.value_types import matching, one_or_more

_SITE = matching(
    re.compile(r"https?://(?:\*\.)?[A-Za-z0-9.-]+(?::[0-9]{1,5})?\Z", re.ASCII),
    "'{}' is not the address of a site",
    "write https://HOST without a path, such as https://crm.example.com",
    "`https://HOST`",
)


@dataclass(frozen=True, slots=True)
class PagesKeys:
    """`address` is where the pages are found from outside, `frames` who may show them in a frame of theirs."""

    address: str = setting(
        matching(
            re.compile(r"https?://[A-Za-z0-9.\-_\[\]:]+\Z", re.ASCII),
            "'{}' is not an address without a path",
            "write https://HOST, as people type it: https://calls.example.com",
            "`https://HOST`",
        ),
        "",
        "where people find the pages: a log-in over OpenID Connect, or at a CRM, comes back there, and entries in CRMs "
        "link there",
        usual="what the browser's request says",
        in_force="reload",
        example="https://calls.example.com",
    )
    frames: tuple[str, ...] = setting(
        one_or_more(_SITE),
        (),
        "the sites that may show the page in a frame of theirs, as a CRM does",
        in_force="reload",
        example="['https://crm.example.com']",
    )

    def page_of(self, call_id: str) -> str:
        """Return where a call is shown; "" where nobody has said how the pages are found."""
        return f"{self.address}/calls/{call_id}" if self.address else ""
