"""Whose calls a revision on trial has: callers that somebody has named, and a share of all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from routing_engine.config.in_force import TrialRevision
from routing_engine.core.model import Caller, NumberList
from routing_engine.core.number_lists import ANONYMOUS, EntryFault, NumberSet, read_entry
from routing_engine.core.templates import share_of
from routing_engine.errors import RevisionError

#: Why a call has the revision on trial.
Chosen: TypeAlias = Literal["named", "share"]
_REMEDY = "write numbers with their country code, or the name of a list of engine.yaml; a comma between them"


@dataclass(frozen=True, slots=True)
class TrialCallers:
    """Says whether a call has the revision on trial, and why. The same caller has it at every call."""

    numbers: NumberSet = field(default_factory=NumberSet)
    lists: tuple[NumberList, ...] = ()
    share: float = 0.0
    salt: str = ""

    def why(self, caller: Caller) -> Chosen | None:
        """Return why a call has it; None where it has what is in force."""
        number = caller.number
        if self.numbers.hold(number) or any(one.verdict(number) != "unlisted" for one in self.lists):
            return "named"
        return "share" if self.share and share_of(caller, self.salt) < self.share else None


def callers_of(trial: TrialRevision, lists: Mapping[str, NumberList]) -> TrialCallers:
    """Return whose calls a trial has. A list that is gone meanwhile names nobody."""
    named = tuple(lists[name] for name in trial.callers if name in lists)
    numbers = NumberSet.of(one for one in trial.callers if one not in lists and (_is_number(one) or one == ANONYMOUS))
    # By the revision: whoever was the first to meet one change is not the first to meet each.
    return TrialCallers(numbers, named, trial.share, f"trial {trial.revision}")


def read_callers(texts: Sequence[str], lists: Mapping[str, NumberList], region: str) -> tuple[str, ...]:
    """Return callers as they are kept: names of lists, and numbers in E.164. Raises `RevisionError`."""
    found: list[str] = []
    for text in filter(None, (part.strip() for whole in texts for part in whole.split(","))):
        entry = text if text in lists else read_entry(text, region)
        if isinstance(entry, EntryFault):
            raise RevisionError(f"'{text[:40]}' is neither a list nor a caller: {entry.sentence}", _REMEDY)
        found.append(entry)
    return tuple(dict.fromkeys(found))


def said_callers(callers: Sequence[str], share: float) -> str:
    """Return in words whose calls a trial has, without a number."""
    lists = [one for one in callers if not _is_number(one)]
    numbers = len(callers) - len(lists)
    parts = [f"the callers of {', '.join(lists)}"] if lists else []
    if numbers:
        parts.append("one caller" if numbers == 1 else f"{numbers} callers")
    parts += [f"{share:g} % of {'all others' if parts else 'the callers'}"] if share else []
    return " and ".join(parts) or "nobody"


def _is_number(text: str) -> bool:
    return text[0] in "+0123456789"
