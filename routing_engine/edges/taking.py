"""What an edge tells is held against what it may tell, and put into the book of calls: each change once.

An edge is trusted with the calls of its own PBXs, and with nothing else: what it says of contacts, people and
deliveries of others is left out, and a call of another PBX is not its to change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from routing_engine.call_book import CallBook
from routing_engine.calls.call import Call, CallContact, CallRecording, Leg
from routing_engine.calls.checked import checked, read_json
from routing_engine.calls.tracker import TrackedCall
from routing_engine.edges.messages import LineFault, NotTaken, ToldChange

#: So many calls are open at a PBX at most: a busy one has some hundred.
MOST_OPEN = 10_000
#: A clock that is wrong by more would decide which calls are old.
_AHEAD_S = 86_400.0
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.ASCII)
_WEB = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class EdgeRights:
    """What an edge may tell of: its PBXs, and whose their phones are (`main/201`)."""

    pbxs: frozenset[str]
    phones: Mapping[str, str]

    @property
    def users(self) -> frozenset[str]:
        """Who has a telephone there."""
        return frozenset(self.phones.values())


def told_call(change: ToldChange, rights: EdgeRights, now: float) -> Call:
    """Return the call of a change as the book takes it. Raises `ValueError` for one that is not the edge's to tell."""
    call = checked(Call, read_json(change.call), "call")
    if call.pbx not in rights.pbxs:
        raise ValueError(f"'{call.pbx[:80]}' is no PBX of this edge")
    if not _ID.match(call.id) or not (call.merged_into is None or _ID.match(call.merged_into)):
        raise ValueError("the call has no id of ours")
    if not 0 < call.started_at < now + _AHEAD_S:
        raise ValueError("the call begins after tomorrow: the clock of the PBX is wrong")
    users = rights.users
    legs = tuple(replace(leg, user=_user(leg, users, rights.phones)) for leg in call.legs)
    return replace(
        call,
        version=1,
        told=change.number,
        legs=legs,
        user=call.user if call.user in users else _answered_by(legs),
        contact=_contact(call.contact),
        recording=_recording(call.recording),
        notes=(),
        tags=(),
        sentiment=None,
        disposition=None,
        deliveries={},
    )


def _user(leg: Leg, users: Collection[str], phones: Mapping[str, str]) -> str | None:
    """Return who it was, if he has a telephone there: who had this one then may have another one now."""
    return leg.user if leg.user in users else phones.get(leg.phone)


def _answered_by(legs: Sequence[Leg]) -> str | None:
    answered = [leg for leg in legs if leg.answered_at is not None and leg.user is not None]
    return max(answered, key=lambda leg: leg.answered_at or 0.0).user if answered else None


def _contact(contact: CallContact | None) -> CallContact | None:
    if contact is None or contact.matched != "routed":
        return None
    return contact if contact.url is None or contact.url.startswith(_WEB) else replace(contact, url=None)


def _recording(told: CallRecording) -> CallRecording:
    known = told.state in ("none", "recording", "pending")
    return CallRecording(told.state if known else "pending", name=told.name)


class EdgeTaker:
    """Puts what edges tell into the book. `now` is the wall clock."""

    def __init__(self, book: CallBook, now: Callable[[], float]) -> None:
        self._book, self._now = book, now

    async def take(self, changes: Sequence[ToldChange], rights: EdgeRights) -> tuple[list[NotTaken], bool]:
        """Take changes, in order; return those that are refused, and whether all others are on the disk.

        The same change again changes nothing. Raises `StorageError`, and `LineFault` for more calls than a PBX has.
        """
        self._look_at_open(rights.pbxs)
        but, ids = list[NotTaken](), set[str]()
        for change in changes:
            try:
                call = told_call(change, rights, self._now())
                await self._look_whose(call)
            except ValueError as error:
                but.append(NotTaken(change.number, str(error)[:300]))
                continue
            await self._book.take([TrackedCall(call, change.kinds)])
            ids.add(call.id)
        return but, await self._book.saved(ids)

    def _look_at_open(self, pbxs: Collection[str]) -> None:
        for pbx in pbxs:
            if len(self._book.open_calls(pbx)) >= MOST_OPEN:
                sentence = f"more than {MOST_OPEN} calls of the PBX '{pbx}' have not ended"
                raise LineFault("too_many_calls", sentence, "look at that PBX, and at its edge's log")

    async def _look_whose(self, call: Call) -> None:
        """Raise `ValueError` for a call that is another PBX's already, or would become a part of one."""
        for call_id in (call.id, call.merged_into):
            if call_id is not None and await self._book.pbx_of(call_id) not in (None, call.pbx):
                raise ValueError("the call is another PBX's")
