"""The descriptions that ship, by name: which there are, without reading one."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

#: Beside the code, as `tool.setuptools.package-data` says.
DESCRIPTIONS = Path(__file__).parent / "descriptions"


@lru_cache(maxsize=1)
def shipped() -> tuple[str, ...]:
    """Return the names of the descriptions that ship."""
    return tuple(sorted(one.stem for one in DESCRIPTIONS.glob("*.yaml")))
