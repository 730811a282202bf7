"""Asterisk dies or is restarted, the connection breaks, the ids of channels come again."""

from collections.abc import Sequence
from dataclasses import replace

from rig.office import OTTO, Office
from rig.sip import Call
from rig.situations.situation import situation
from rig.told import Rang, Told, inbound, outbound

DAY_S = 86400


async def _two_calls(office: Office) -> tuple[Call, Call, Call]:
    """Maria speaks with Anna; Otto's call rings at Bernd's and Clara's in vain."""
    maria = await office.outside("01")
    anna = await office.answered("201")
    await office.talk(maria, anna)
    bernd = await office.inside("202", OTTO)
    otto = await office.ringing_outside()
    otto.ring()
    await bernd.rings()
    return maria, anna, bernd


@situation(alone=True, broken=True)
async def killed(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna, Bernd calls Otto, and Asterisk dies (SIGKILL). It is started again, and Maria calls
    Anna once more."""
    maria, _, bernd = await _two_calls(office)
    killed_at = office.at(office.now)
    await office.asterisk.kill()
    await office.tape.stop()
    await office.start_again()
    again, once_more = await _maria_and_anna(office)
    more = {"ended_at": killed_at, "hangup_by": None}
    return [
        inbound(maria, "unknown", **more).without("legs", "ringing_at", "answered_at"),
        outbound(bernd, "unknown", **more).without("legs", "ringing_at", "answered_at"),
        inbound(again, "answered", Rang("201", once_more, "answered"), user="anna", hangup_by="other"),
    ]


async def _maria_and_anna(office: Office) -> tuple[Call, Call]:
    maria = await office.outside("01")
    anna = await office.answered("201")
    await office.talk(maria, anna)
    await maria.hang_up()
    await anna.ended()
    return maria, anna


@situation(alone=True)
async def stopped(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna, Bernd calls Otto, and Asterisk is stopped in order (SIGTERM). It hangs up on all."""
    maria, anna, bernd = await _two_calls(office)
    await office.asterisk.stop()
    await office.tape.stop()
    await office.start_again()
    told = inbound(maria, "answered", Rang("201", anna, "answered"), user="anna", hangup_by="system")
    return [told, outbound(bernd, "unanswered", user="bernd", hangup_by="system").without("legs", "ringing_at")]


@situation(alone=True, broken=True)
async def reconnected(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna, Clara with Otto. The connection of who listens breaks. Meanwhile Maria hangs up, and a
    new call of hers reaches Bernd. The connection is back, and asks what there is; then all hang up."""
    maria = await office.outside("01")
    anna = await office.answered("201")
    await office.talk(maria, anna)
    clara = await office.inside("203", OTTO)
    otto = await office.ringing_outside()
    otto.ring()
    otto.answer()
    await office.talk(clara, otto)
    await office.tape.stop()
    await maria.hang_up()
    await anna.ended()
    again = await office.outside("10")
    _, bernd, _ = [await office.ringing(phone) for phone in ("201", "202", "203")]
    bernd.answer()
    await office.talk(again, bernd)
    await office.tape.start()
    await office.asks_what_there_is()
    await office.talk(again, bernd)
    await again.hang_up()
    await clara.hang_up()
    await otto.ended()
    return [
        inbound(maria, "unknown", answered_at=office.at(anna.answered_at)).without("ended_at", "legs", "ringing_at"),
        outbound(clara, "answered", user="clara", answered_at=office.at(otto.answered_at), hangup_by="user").without(
            "legs", "ringing_at"
        ),
        inbound(again, "answered", user="bernd", answered_at=office.at(bernd.answered_at), hangup_by="other").without(
            "legs", "ringing_at"
        ),
    ]


@situation(alone=True)
async def restored(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna. The PBX is restored from a backup of before, and a day later another call has the same
    ids. (The second half of this stream is a copy of the first with other moments: no PBX was restored.)"""
    maria, anna = await _maria_and_anna(office)
    await office.tape.until(lambda: not office.tape.living)
    await office.tape.stop()
    office.tape.repeat(DAY_S)
    told = inbound(maria, "answered", Rang("201", anna, "answered"), user="anna", hangup_by="other")
    return [told, replace(told, later_s=DAY_S)]
