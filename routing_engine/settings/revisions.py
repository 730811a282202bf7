"""The sections `revisions` and `activation` of engine.yaml: what is kept, and how a change comes into force."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from routing_engine.settings.spec import setting
from routing_engine.settings.value_types import choice, number, whole

Mode: TypeAlias = Literal["at_once", "guarded"]


@dataclass(frozen=True, slots=True)
class RevisionKeys:
    """What is kept of revisions that were in force."""

    keep: int = setting(
        whole(1, 10_000),
        100,
        "how many [revisions](../how-to/put-a-change-live.md) are kept to go back to; the oldest go. What is in force "
        "stays, and a file that several hold is kept once",
    )


@dataclass(frozen=True, slots=True)
class ActivationKeys:
    """How a changed folder comes into force, and what takes a revision on trial back by itself.

    The limits are percentage points: by how much its share of calls may be above that of the revision in force.
    """

    mode: Mode = setting(
        choice("at_once", "guarded"),
        "guarded",
        "`guarded`: a changed folder waits until [`activate`](cli.md#activate) gives it callers; `at_once`: it is in "
        "force as soon as it is read",
    )
    calls: int = setting(
        whole(5, 100_000),
        20,
        "from so many of its calls on a revision on trial is judged",
        example="50",
    )
    defaults: float = setting(
        number(0, 100, "percentage points"), 10.0, "calls that end at the route's default, or with no route at all"
    )
    lookup_errors: float = setting(
        number(0, 100, "percentage points"), 5.0, "calls in which a source could not be asked"
    )
    hang_ups: float = setting(
        number(0, 100, "percentage points"), 10.0, "calls whose caller hung up before the decision"
    )

    @property
    def guarded(self) -> bool:
        """Whether a changed folder waits."""
        return self.mode == "guarded"


#: What is so where engine.yaml says nothing.
AT_ONCE = ActivationKeys("at_once")
GUARDED = ActivationKeys()
