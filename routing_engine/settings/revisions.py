"""The section `revisions` of engine.yaml: how much of what was in force is kept."""

from __future__ import annotations

from dataclasses import dataclass

from routing_engine.settings.spec import setting
from routing_engine.settings.value_types import whole


@dataclass(frozen=True, slots=True)
class RevisionKeys:
    """What is kept of revisions that were in force."""

    keep: int = setting(
        whole(1, 10_000),
        100,
        "how many [revisions](../how-to/put-a-change-live.md) are kept to go back to; the oldest go. What is in force "
        "stays, and a file that several hold is kept once",
    )
