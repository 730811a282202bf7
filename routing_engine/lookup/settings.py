"""`cache` of engine.yaml: how many answers are kept for all routes, and where they outlive a restart."""

from __future__ import annotations

from dataclasses import dataclass

from routing_engine.settings.yaml_reader import Section


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """At most `entries` answers; `path` is a file ("" keeps them in memory only), below the folder when relative."""

    entries: int = 20_000
    path: str = ""


def read_cache(engine: Section | None) -> CacheSettings:
    """Read the key `cache` of engine.yaml's section; None is a missing file."""
    section = engine.section("cache") if engine is not None else None
    if section is None:
        return CacheSettings()
    found = CacheSettings(section.whole("entries", CacheSettings().entries, 1, 10_000_000), section.plain("path"))
    section.close("'cache'")
    return found
