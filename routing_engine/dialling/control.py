"""What is done with a call under way: hang up, pass on, hold, pause its recording. Refused where it cannot work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, TypeAlias

from routing_engine.calls.call import Call
from routing_engine.calls.ports import PbxCommands
from routing_engine.calls.site import PbxSite
from routing_engine.dialling.changes import CallChanges
from routing_engine.dialling.channels import CallChannel, channels_of, others, own_channel
from routing_engine.dialling.dialler import REFUSED_REMEDY, DialSite
from routing_engine.dialling.wish import DialTarget, caller_id, read_target
from routing_engine.errors import AmiRefused, CommandRefused, PbxDown
from routing_engine.settings.dialling import DialKeys, may_show
from routing_engine.settings.pbx import Pbx

#: How a call is passed on. `attended`: the person speaks with the target first, and hangs up to connect both; `cancel`
#: goes back to the one who waits.
TransferHow: TypeAlias = Literal["blind", "attended", "cancel"]
#: A phone that is asked to hold does it at once, or does not know how.
_DONE_S = 3.0
_LOOK_S = 0.1
#: A phone that did not know how may have learned it by the next day.
_ASK_AGAIN_S = 86_400.0
#: `featuredigittimeout` of features.conf, as Asterisk has it without.
_KEYS_S = 1.0
#: Asterisk's causes: the call was refused, and the usual end.
_REJECTED, _NORMAL = "21", "16"


class CallControl:
    """Does it. Each method takes the call and the person who asks (None: a program, for whoever of us is in the call).

    All raise `CommandRefused` where it cannot work, and `PbxDown` where nobody answers. `site_of` is what is ours in a
    PBX.
    """

    def __init__(
        self,
        site: Callable[[], DialSite],
        commands: Callable[[str], PbxCommands | None],
        changes: CallChanges,
        site_of: Callable[[Pbx], PbxSite],
    ) -> None:
        self._site, self._commands, self._changes, self._site_of = site, commands, changes, site_of
        self._no_hold: dict[str, float] = {}

    def cannot_hold(self) -> frozenset[str]:
        """Return the phones that did not hold a call when they were asked to: nobody is offered what does not work."""
        now = asyncio.get_running_loop().time()
        return frozenset(phone for phone, at in self._no_hold.items() if now - at < _ASK_AGAIN_S)

    async def hang_up(self, call: Call, user: str | None) -> None:
        """End a call for a person; a program ends it for everybody. A phone that only rings refuses the call."""
        commands, channels = await self._look(call)
        if user is not None:
            own = self._own(call, channels, user)
            await _do(commands, "Hangup", Channel=own.name, Cause=_NORMAL if own.up else _REJECTED)
            return
        for one in channels:
            # The end of one ends others: what is gone by now was to be ended anyway.
            with suppress(AmiRefused):
                await commands.action("Hangup", {"Channel": one.name, "Cause": _NORMAL})

    async def transfer(self, call: Call, user: str | None, to: str, how: TransferHow) -> None:
        """Pass a call on."""
        commands, channels = await self._look(call)
        own = self._own(call, channels, user)
        if how == "cancel":
            await _do(commands, "CancelAtxfer", "no_transfer", Channel=own.name)
            await self._back(call, user)
            return
        if not own.bridge:
            raise CommandRefused("not_talking", "nobody speaks on this call", "pass it on once it is answered")
        pbx, dial = self._pbx(call)
        target = read_target(to, dial, self._site().region)
        shown = self._shown(call, pbx, own, target)
        for other in others(own, channels) if shown is not None else ():
            # Inherited by the channel that is called: a trunk refuses one who shows the number of the passed on.
            variable = f"__{dial.caller_id_variable.lstrip('_')}"
            await _do(commands, "Setvar", Channel=other.name, Variable=variable, Value=shown or "")
        if how == "blind":
            await _do(
                commands, "BlindTransfer", "no_transfer", Channel=own.name, Context=dial.context, Exten=target.exten
            )
            return
        await self._consult(call, commands, own, dial.context, target)

    async def _consult(
        self, call: Call, commands: PbxCommands, own: CallChannel, context: str, target: DialTarget
    ) -> None:
        waiting = self._changes.expect(call.id, lambda now: now.state != "talking")
        try:
            # Typed for the phone, as its user could: whoever may not pass on by keys may not by this either.
            await _do(commands, "Atxfer", "no_transfer", Channel=own.name, Context=context, Exten=target.exten)
            if await waiting.seen(_DONE_S) is None:
                sentence = "Asterisk does not pass this call on after a consultation"
                remedy = (
                    "features.conf: [featuremap] atxfer = *2; options t and T of Dial and Queue; or transfer it blind"
                )
                raise CommandRefused("no_transfer", sentence, remedy)
        finally:
            waiting.found.cancel()

    async def _back(self, call: Call, user: str | None) -> None:
        """Wait until a person speaks with the other party again: Asterisk plays keys, and that takes a while."""
        for _ in range(round(_DONE_S / _LOOK_S)):
            _, channels = await self._look(call)
            if any(one.kind != "local" for one in others(self._own(call, channels, user), channels)):
                # The last key may be the first one of another: what is typed before that is clear counts as one key.
                await asyncio.sleep(_KEYS_S)
                return
            await asyncio.sleep(_LOOK_S)
        sentence = "there is no consultation to go back from, or Asterisk does not end it"
        raise CommandRefused("no_transfer", sentence, "hang up the consultation at the phone")

    def _shown(self, call: Call, pbx: Pbx, own: CallChannel, target: DialTarget) -> str | None:
        """Return the number of ours that the target sees: that of the person, else the one that the call had."""
        user = self._site().users.get(own.user or "")
        shown = None if user is None else caller_id(user, target, pbx.keys, None, free=False)
        had = call.did if target.country is not None and may_show(pbx.keys.numbers, call.did or "") else None
        return shown or had

    async def hold(self, call: Call, user: str | None) -> None:
        """Let a phone hold its call. Asterisk can only ask it to."""
        await self._notify(call, user, "hold", "held")

    async def resume(self, call: Call, user: str | None) -> None:
        """Let a phone take its call back."""
        await self._notify(call, user, "talk", "talking")

    async def _notify(self, call: Call, user: str | None, event: str, state: str) -> None:
        if call.state == state:
            return
        commands, channels = await self._look(call)
        own = self._own(call, channels, user)
        if call.state not in ("talking", "held"):
            raise CommandRefused("not_talking", "nobody speaks on this call", "hold it once it is answered")
        waiting = self._changes.expect(call.id, lambda now: now.state == state)
        try:
            await _do(commands, "PJSIPNotify", "no_hold", Channel=own.name, Variable=f"Event={event}")
            if await waiting.seen(_DONE_S) is None:
                sentence = f"the phone '{own.phone}' does not do it when it is asked to"
                raise CommandRefused("no_hold", sentence, "press the key of the phone")
        except CommandRefused:
            self._no_hold[own.phone or ""] = asyncio.get_running_loop().time()
            raise
        finally:
            waiting.found.cancel()
        self._no_hold.pop(own.phone or "", None)

    async def mute_recording(self, call: Call, user: str | None, muted: bool) -> None:
        """Pause the recording of a call, or go on with it; what is said meanwhile is silence in the file."""
        commands, channels = await self._look(call)
        if user is not None:
            self._own(call, channels, user)  # one who has passed the call on does not stop its recording
        state, done = "1" if muted else "0", 0
        for one in channels:
            try:
                await commands.action("MixMonitorMute", {"Channel": one.name, "Direction": "both", "State": state})
                done += 1
            except AmiRefused:
                continue  # this one of its channels is not recorded
        if not done:
            raise CommandRefused("not_recorded", "this call is not recorded here", "see 'recording' of the call")

    # ------------------------------------------------------------------------------------- inside

    async def _look(self, call: Call) -> tuple[PbxCommands, list[CallChannel]]:
        """Return what tells the call's PBX, and the channels that the call has there now."""
        if call.state == "ended":
            raise CommandRefused("call_ended", "the call is over", "")
        pbx, commands = self._site().pbxs.get(call.pbx), self._commands(call.pbx)
        if pbx is None or commands is None:
            raise CommandRefused("not_here", f"nothing can be done with calls of '{call.pbx}'", "do it there")
        if not commands.reachable:
            raise PbxDown(f"the PBX '{call.pbx}' cannot be reached")
        try:
            channels = await channels_of(call, commands, self._site_of(pbx))
        except AmiRefused as error:
            raise CommandRefused("pbx_refused", f"Asterisk refuses: {error}", REFUSED_REMEDY) from None
        if not channels:
            raise CommandRefused("call_ended", "the call is over", "")
        return commands, channels

    def _own(self, call: Call, channels: list[CallChannel], user: str | None) -> CallChannel:
        own = own_channel(call, channels, user)
        if own is None:
            sentence = "none of your phones is in this call" if user else "none of our phones is in this call"
            raise CommandRefused("not_in_call", sentence, "somebody who is in it must do that")
        return own

    def _pbx(self, call: Call) -> tuple[Pbx, DialKeys]:
        pbx = self._site().pbxs[call.pbx]
        if pbx.keys.dial is None:
            raise CommandRefused(
                "no_dialling", f"nobody can dial over '{call.pbx}'", f"add 'dial' to pbxs/{call.pbx}.yaml"
            )
        return pbx, pbx.keys.dial


async def _do(commands: PbxCommands, action: str, code: str = "pbx_refused", **fields: str) -> None:
    try:
        await commands.action(action, fields)
    except AmiRefused as error:
        raise CommandRefused(code, f"Asterisk refuses: {error}", REFUSED_REMEDY) from None
