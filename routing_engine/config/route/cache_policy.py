"""How long an answer of a source may be used again: `cache` and `stale_for`."""

from __future__ import annotations

import re

from routing_engine.config.route.context import RouteContext
from routing_engine.core.model import CachePolicy, Template
from routing_engine.settings.yaml_reader import Section

_PERIOD = re.compile(r"([1-9][0-9]{0,5}) ?(s|m|h|d)\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_S = 30 * 86400


def read_keep(section: Section, page: RouteContext, by: Template) -> CachePolicy | None:
    """Take `cache` and `stale_for`; None when no answer is used again."""
    stale_for_s = _read_period(section, "stale_for")
    cache = section.section("cache")
    if cache is None:
        keep = CachePolicy(stale_for_s=stale_for_s) if stale_for_s else None
        return None if keep is None or not _may_keep(section, "stale_for", page, by) else keep
    ttl_s = cache.number("ttl_s", 60, 0, _LONGEST_S)
    keep = CachePolicy(
        ttl_s=ttl_s,
        negative_ttl_s=cache.number("negative_ttl_s", 0, 0, _LONGEST_S),
        refresh_s=cache.number("refresh_s", 0, 0, _LONGEST_S),
        stale_for_s=stale_for_s,
    )
    told = cache.flag("sensitive", False)
    cache.close("'cache'")
    return keep if told or _may_keep(section, "cache", page, by) else None


def _may_keep(section: Section, key: str, page: RouteContext, by: Template) -> bool:
    """Refuse to keep what was found by digits that are to be seen nowhere, unless told so."""
    first = next(iter(page.inputs), "")
    if not any(left.scope == "input" and page.inputs.get(left.name or first) for left in by.operands):
        return True
    section.note(key, "what is found by sensitive digits is not kept", "remove it, or write cache: {sensitive: true}")
    return False


def _read_period(section: Section, key: str) -> float:
    text = section.text(key)
    found = _PERIOD.match(text)
    if not text or (found and int(found[1]) * _SECONDS[found[2]] <= _LONGEST_S):
        return float(int(found[1]) * _SECONDS[found[2]]) if found else 0.0
    section.note(key, f"'{key}' cannot be '{text[:80]}'", "write how long, up to 30d: 90s, 30m, 24h or 7d")
    return 0.0
