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
    """`frames` are the sites that may show the page of calls in a frame of theirs."""

    frames: tuple[str, ...] = setting(
        one_or_more(_SITE),
        (),
        "the sites that may show the page in a frame of theirs, as a CRM does",
        in_force="reload",
        example="['https://crm.example.com']",
    )
