"""How long an answer of a source may be used again: `cache` and `stale_for`."""

from __future__ import annotations

from dataclasses import dataclass

from routing_engine.config.route.context import RouteContext
from routing_engine.core.model import CachePolicy, Template
from routing_engine.settings.spec import setting
from routing_engine.settings.value_types import flag, number
from routing_engine.settings.yaml_reader import Section

_LONGEST_S = 30 * 86400


@dataclass(frozen=True, slots=True)
class CacheKeys:
    """`cache` of a source as it is written."""

    ttl_s: float = setting(number(0, _LONGEST_S, "seconds"), 60.0, "how long records are used again, without asking")
    negative_ttl_s: float = setting(
        number(0, _LONGEST_S, "seconds"),
        0.0,
        'the same for "no record". 0: an unknown caller is looked up at each call, so a new customer is known at once',
    )
    refresh_s: float = setting(
        number(0, _LONGEST_S, "seconds"),
        0.0,
        "for that much longer the answer is used at once, and renewed in the background",
    )
    sensitive: bool = setting(
        flag(),
        False,
        "true: keep also what was found by a `sensitive` input. Without it such a `cache` or `stale_for` is a problem",
    )


def policy_of(
    cache: CacheKeys | None, stale_for_s: float, section: Section, context: RouteContext, by: Template
) -> CachePolicy | None:
    """Return how long answers of a source are used again; None when none is. `section` is the source's."""
    # `stale_for` needs no cache: every call asks, and the last answer stands in while the source is down.
    if cache is None:
        found = CachePolicy(stale_for_s=stale_for_s) if stale_for_s else None
        return found if found is not None and _may_keep(section, "stale_for", context, by) else None
    if not cache.sensitive and not _may_keep(section, "cache", context, by):
        return None
    return CachePolicy(cache.ttl_s, cache.negative_ttl_s, cache.refresh_s, stale_for_s)


def _may_keep(section: Section, key: str, context: RouteContext, by: Template) -> bool:
    """Refuse to keep what was found by digits that are to be seen nowhere, unless told so."""
    first = next(iter(context.inputs), "")
    if not any(left.scope == "input" and context.inputs.get(left.name or first) for left in by.operands):
        return True
    section.note(key, "what is found by sensitive digits is not kept", "remove it, or write cache: {sensitive: true}")
    return False
