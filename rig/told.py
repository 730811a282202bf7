"""What really happened in a recorded situation, in the words of the contract for calls: the expected call records.

It is told by the telephones: who rang when, who answered, who hung up, by their own clock. Nothing here has been read
out of what Asterisk said. A member that is not told is not known to the telephones either.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from rig.office import FIRM, OTTO, Office
from rig.sip import Call

Value: TypeAlias = "str | float | int | Sequence[Value] | dict[str, Value] | None"
Members: TypeAlias = dict[str, Value]

KNOWN_BY_LEGS = ("legs", "ringing_at", "answered_at", "transfers")
USERS = {"201": "anna", "202": "bernd", "203": "clara"}


@dataclass
class Rang:
    """A telephone that rang or talked: its number, its call, what came of it. `placed` is one that dialled itself."""

    phone: str
    call: Call
    result: str
    placed: bool = False

    def members(self, office: Office) -> Members:
        """Return it as a leg."""
        return {
            "phone": _place(self.phone),
            "user": USERS.get(self.phone),
            "ringing_at": None if self.placed else office.at(self.call.began_at),
            "answered_at": office.at(self.call.answered_at),
            "left_at": office.at(self.call.ended_at),
            "result": self.result,
        }


@dataclass
class Told:
    """One call: the party that began it, how it came out, who rang, who passed it on to whom."""

    direction: str
    began: Call
    outcome: str
    legs: Sequence[Rang] = ()
    transfers: list[tuple[str, str | None, str]] = field(default_factory=list)
    more: Members = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    later_s: int = 0

    def passed(self, by: str, to: str | None, how: str) -> "Told":
        """Say that somebody passed it on."""
        self.transfers.append((by, to, how))
        return self

    def without(self, *members: str) -> "Told":
        """Say what the telephones cannot know."""
        self.unknown += members
        return self

    def merged(self) -> "Told":
        """Say that it became a part of the first call; nothing else of it counts."""
        self.more["merged_into"] = 0
        return self.without(*KNOWN_BY_LEGS, "outcome", "to", "ended_at")

    def members(self, office: Office) -> Members:
        """Return what is expected of its record."""
        told = {name: value for name, value in self._members(office).items() if name not in self.unknown}
        return {name: _later(name, value, self.later_s) for name, value in told.items()}

    def _members(self, office: Office) -> Members:
        legs = [leg.members(office) for leg in self.legs]
        rang = [leg.call.began_at for leg in self.legs if not leg.placed]
        spoke = [leg.call.answered_at for leg in self.legs if leg.call.answered_at is not None]
        return {
            "direction": self.direction,
            **self._parties(),
            "outcome": self.outcome,
            "started_at": office.at(self.began.began_at),
            "ringing_at": office.at(min(rang, default=None)),
            "answered_at": office.at(min(spoke, default=None)),
            "ended_at": office.at(self.began.ended_at),
            "legs": legs,
            "transfers": [{"by": _place(by), "to": _place(to), "how": how} for by, to, how in self.transfers],
            **self.more,
        }

    def _parties(self) -> Members:
        called = self.began.called
        if self.direction == "inbound":
            return {"from": self.began.caller, "to": called, "did": called}
        did = FIRM if self.direction == "outbound" else None
        # The 9 in front is an order to our own dialplan only.
        return {"from": self.began.caller, "to": called.removeprefix("9"), "did": did}


def inbound(began: Call, outcome: str, *legs: Rang, **more: Value) -> Told:
    """Return a call from outside."""
    return Told("inbound", began, outcome, legs, more=more)


def outbound(began: Call, outcome: str, *legs: Rang, **more: Value) -> Told:
    """Return a call to the outside."""
    return Told("outbound", began, outcome, legs, more=more)


def clicked(began: Call, outcome: str, *legs: Rang, **more: Value) -> Told:
    """Return a call to Otto that a program dialled for Anna; `began` is the call at her telephone."""
    return Told("outbound", began, outcome, legs, more={"from": "201", "to": OTTO, "did": FIRM, **more})


def internal(began: Call, outcome: str, *legs: Rang, **more: Value) -> Told:
    """Return a call within the firm."""
    return Told("internal", began, outcome, legs, more=more)


def _place(number: str | None) -> str | None:
    """Return how a telephone is named in a record."""
    return f"main/{number}" if number in USERS else number


def _later(name: str, value: Value, seconds: int) -> Value:
    """Move every moment of a record."""
    if isinstance(value, float) and name.endswith("_at"):
        return round(value + seconds, 3)
    if isinstance(value, list):
        return [{key: _later(key, part, seconds) for key, part in one.items()} for one in value]
    return value
