"""CRMs that show their people who is calling: for each person whose telephone rings, until somebody else has the call.

What is shown is a function of the call: whatever comes late, twice or out of order, it ends as the call is. Nobody
waits for it, and what goes wrong is left: the page shows the call all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from routing_engine.calls.call import Call
from routing_engine.calls.log_entry import entry_of
from routing_engine.calls.ports import CallScreen, EntryUser, LogEntry
from routing_engine.core.model import Operand, Template
from routing_engine.errors import ProviderError, ProviderSkipped
from routing_engine.logger import Logger

#: Longer than a telephone rings before somebody looks.
POP_S = 10.0
#: So many are under way at once; what rings then is on the page alone.
MOST_POPS = 200
_SUBJECT = Template((Operand("call", "who"),))

_log = Logger()


@dataclass(frozen=True, slots=True)
class Screens:
    """What shows calls, by integration, and who somebody of ours is there ("" as id: nobody)."""

    screens: Mapping[str, CallScreen]
    person: Callable[[str, str], Awaitable[EntryUser]]


@dataclass(slots=True)
class _Shown:
    """One person's screen in one system for one call: what it is to be, and what it is."""

    call: Call
    wanted: bool = True
    told: Mapping[str, str] | None = None
    user: EntryUser = field(default_factory=EntryUser)


class CallPops:
    """`changed` hears of every change of a call; `screens` is what is in force."""

    def __init__(self, screens: Callable[[], Screens]) -> None:
        self._screens = screens
        self._shown: dict[tuple[str, str, str], _Shown] = {}
        self._tasks: dict[tuple[str, str, str], asyncio.Task[None]] = {}
        self._failing: set[str] = set()

    def changed(self, call: Call) -> None:
        """Take a call as it is now. Never waits, and never raises."""
        wanted = people_who_see(call)
        known = {user for _, user, call_id in self._shown if call_id == call.id}
        if not wanted and not known:
            return
        for integration in self._screens().screens:
            for user in wanted | known:
                self._want(integration, user, call, user in wanted)

    def _want(self, integration: str, user: str, call: Call, wanted: bool) -> None:
        key = integration, user, call.id
        shown = self._shown.get(key)
        if shown is None:
            if not wanted or len(self._shown) >= MOST_POPS:
                return
            shown = self._shown[key] = _Shown(call)
        shown.call, shown.wanted = call, wanted
        if key not in self._tasks:
            task = self._tasks[key] = asyncio.create_task(self._bring(key, shown))
            task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _bring(self, key: tuple[str, str, str], shown: _Shown) -> None:
        """Do what is wanted by now; what came meanwhile is looked at once more."""
        integration, user, _ = key
        before = not shown.wanted
        try:
            while before != shown.wanted:
                before = shown.wanted
                async with asyncio.timeout(POP_S):
                    if shown.told is None and shown.wanted:
                        await self._pop(integration, user, shown)
                    elif shown.told is not None and not shown.wanted:
                        await self._close(integration, shown)
            self._failing.discard(integration)
        except ProviderSkipped:
            pass  # the system is spared for callers
        except (ProviderError, TimeoutError) as error:
            if integration not in self._failing:  # once, and not for every ring
                self._failing.add(integration)
                _log.warning("pop.failed", integration=integration, why=str(error)[:200] or "no answer in time")
        if not shown.wanted:
            self._shown.pop(key, None)

    async def _pop(self, integration: str, user: str, shown: _Shown) -> None:
        screens = self._screens()
        shown.user, screen = await screens.person(integration, user), screens.screens.get(integration)
        if screen is None or not shown.user.id:
            shown.told = {}  # nobody there: nothing to be closed
            return
        shown.told = await screen.pop(_entry(shown.call, integration, shown.user))

    async def _close(self, integration: str, shown: _Shown) -> None:
        screen = self._screens().screens.get(integration)
        told, shown.told = shown.told or {}, None
        if screen is not None and shown.user.id:
            await screen.close(_entry(shown.call, integration, shown.user), told)

    async def close(self) -> None:
        """End what is under way."""
        tasks = [*self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def people_who_see(call: Call) -> set[str]:
    """Return the people whose telephone rings for an inbound call, and who talk in it."""
    if call.direction != "inbound" or call.state == "ended" or call.merged_into is not None:
        return set()
    there = (leg for leg in call.legs if leg.left_at is None and leg.result in (None, "answered"))
    return {leg.user for leg in there if leg.user is not None}


def _entry(call: Call, integration: str, user: EntryUser) -> LogEntry:
    contact = call.contact
    ours = contact if contact is not None and contact.integration == integration else None
    return entry_of(replace(call, contact=ours), _SUBJECT, None, user)
