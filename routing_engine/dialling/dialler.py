"""Dials for a user: the phone rings first, then the number is called. What comes of it is a call like any other."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from routing_engine.calls.call import Call
from routing_engine.calls.changes import DIALLED
from routing_engine.calls.ports import PbxCommands
from routing_engine.dialling.changes import CallChanges
from routing_engine.dialling.originate import channel_id, originate_fields
from routing_engine.dialling.wish import DialTarget, caller_id, read_target
from routing_engine.errors import AmiRefused, CommandRefused, PbxDown
from routing_engine.logger import Logger
from routing_engine.settings.dialling import DialKeys
from routing_engine.settings.pbx import Pbx
from routing_engine.settings.people import User, phone_parts

#: A connection keeps the rights that its account had when it logged in: `manager reload` does not change them.
REFUSED_REMEDY = "see routing-engine pbx check; a right that was given since the engine started counts after a restart"

#: Between the channel and the call that everybody sees lies our own work, milliseconds of it.
_SEEN_S = 5.0
#: So many keys of requests are remembered: a repetition comes within minutes.
_MOST_KEYS = 5000

_log = Logger()


@dataclass(frozen=True, slots=True)
class DialSite:
    """Who may dial, and over what: the configuration in force."""

    users: Mapping[str, User]
    pbxs: Mapping[str, Pbx]
    region: str


@dataclass(frozen=True, slots=True)
class DialWish:
    """What somebody wants. `phone` and `caller_id` None choose the usual ones.

    `by` is who asks; with `free` the caller ID may be any of the PBX. `key` is that of `Idempotency-Key`, "" for none.
    """

    user: str
    to: str
    phone: str | None = None
    caller_id: str | None = None
    by: str = ""
    free: bool = False
    key: str = ""


class KnownCalls(Protocol):
    """The book of calls, as far as who dials needs it."""

    def open_calls(self, pbx: str | None = None) -> list[Call]:
        """Return the calls that have not ended, of one PBX or of all."""

    async def call(self, call_id: str) -> Call | None:
        """Return a call, or the one that it has become a part of."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A phone, and the PBX that it is at."""

    phone: str
    extension: str
    pbx: Pbx
    dial: DialKeys
    commands: PbxCommands


class Dialler:
    """Dials, once for each click. `new_id` makes ids of calls, `commands` are what tells each PBX."""

    def __init__(
        self,
        site: Callable[[], DialSite],
        book: KnownCalls,
        commands: Callable[[str], PbxCommands | None],
        changes: CallChanges,
        new_id: Callable[[], str],
    ) -> None:
        self._site, self._book, self._commands, self._changes = site, book, commands, changes
        self._new_id = new_id
        self._under_way: dict[tuple[str, str], asyncio.Task[Call]] = {}
        self._keyed: OrderedDict[tuple[str, str], tuple[DialWish, asyncio.Task[Call]]] = OrderedDict()

    async def dial(self, wish: DialWish) -> Call:
        """Let the user's phone ring; return the call. Raises `CommandRefused`, before anything rings."""
        if not wish.key:
            return await asyncio.shield(self._dialled(wish))
        known = self._keyed.get((wish.by, wish.key))
        if known is None:
            known = self._keyed[wish.by, wish.key] = wish, self._dialled(wish)
            while len(self._keyed) > _MOST_KEYS:
                self._keyed.popitem(last=False)
        if known[0] != wish:
            sentence = "this Idempotency-Key was sent with another request"
            raise CommandRefused("key_used", sentence, "make a new key for each request")
        call = await asyncio.shield(known[1])
        return await self._book.call(call.id) or call

    def _dialled(self, wish: DialWish) -> asyncio.Task[Call]:
        """Return the work of a click; that of an earlier one where it is the same click, or comes while it goes on."""
        site = self._site()
        user = site.users.get(wish.user)
        if user is None:
            raise CommandRefused("unknown_user", f"there is no user '{wish.user[:80]}'", "take a key of users.yaml")
        line = self._line(site, user, wish.phone)
        target = read_target(wish.to, line.dial, site.region)
        shown = caller_id(user, target, line.pbx.keys, wish.caller_id, wish.free)
        going = user.key, target.number
        task = self._under_way.get(going)
        if task is None:
            task = self._under_way[going] = asyncio.create_task(self._ring(user, line, target, shown, wish.by))
            # Whoever clicked may have gone: the phone rings all the same, and a second click finds the call.
            task.add_done_callback(lambda done: self._over(going, done))
        return task

    def _over(self, going: tuple[str, str], done: asyncio.Task[Call]) -> None:
        self._under_way.pop(going, None)
        if not done.cancelled():
            done.exception()  # looked at: nobody may be waiting any more

    def _line(self, site: DialSite, user: User, wanted: str | None) -> _Line:
        """Return the phone that is to ring: the one that was asked for, and never another one in its place."""
        phones = [one for one in user.phones if wanted in (None, one)]
        if not phones:
            sentence = f"'{(wanted or '')[:80]}' is no phone of '{user.key}'" if wanted else "the user has no phone"
            raise CommandRefused("no_phone", sentence, "the administrator: 'phones' of the user in users.yaml")
        for phone in phones:
            name, extension = phone_parts(phone)
            pbx, commands = site.pbxs.get(name), self._commands(name)
            if pbx is not None and pbx.keys.dial is not None and commands is not None:
                if not commands.reachable:
                    raise PbxDown(f"the PBX '{name}' cannot be reached")
                return _Line(phone, extension, pbx, pbx.keys.dial, commands)
        name, _ = phone_parts(phones[0])
        raise CommandRefused("no_dialling", f"nobody can dial over '{name}'", f"add 'dial' to pbxs/{name}.yaml")

    async def _ring(self, user: User, line: _Line, target: DialTarget, shown: str | None, by: str) -> Call:
        before = self._clicked_before(user, target)
        if before is not None:
            return before
        call_id = self._new_id()
        waiting = self._changes.expect(call_id, lambda _: True)
        fields = originate_fields(call_id, line.pbx.keys, line.dial, line.extension, target, shown)
        try:
            rings = await line.commands.originate(channel_id(call_id), fields)
            if not rings:
                sentence = f"the phone '{line.phone}' is not registered"
                raise CommandRefused("no_phone", sentence, "look whether it is switched on, or choose another one")
            _log.info("call.dialled", call=call_id, pbx=line.pbx.name, user=user.key, phone=line.phone, by=by)
            call = await waiting.seen(_SEEN_S)
        except AmiRefused as error:
            raise CommandRefused("pbx_refused", f"Asterisk refuses: {error}", REFUSED_REMEDY) from None
        finally:
            waiting.found.cancel()
        if call is None:
            raise PbxDown("the phone rings, but nothing was heard of the call")
        return call

    def _clicked_before(self, user: User, target: DialTarget) -> Call | None:
        """Return the call to the same number that this user has under way; refuse another one while it rings."""
        own = [one for one in self._book.open_calls() if one.pbx_call_id.startswith(DIALLED) and one.user == user.key]
        same = next((one for one in own if one.to == target.number), None)
        if same is not None:
            return same
        # Whoever calls for help hangs up on nobody first.
        if any(one.state == "ringing" for one in own) and not target.emergency:
            sentence = "another number is being dialled for this user"
            raise CommandRefused("under_way", sentence, "hang up that call first, or wait until it is answered")
        return None
