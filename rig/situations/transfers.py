"""A call is passed on: blind, attended, over the manager interface, by a pick-up, by parking; a conference; a hold."""

import contextlib
from collections.abc import Sequence

from rig.asterisk import MUSIC_HZ
from rig.office import OTTO, Office, hears
from rig.sip import Call
from rig.sip_features import FeatureRefused, hold, resume, transfer, transfer_to
from rig.situations.situation import situation
from rig.told import Rang, Told, inbound, internal, outbound


async def _maria_and_anna(office: Office, number: str = "01") -> tuple[Call, Call]:
    maria = await office.outside(number)
    anna = await office.answered("201")
    await office.talk(maria, anna)
    return maria, anna


@situation()
async def blind_answered(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna, who passes her on to Bernd unasked. Bernd picks up."""
    maria, anna = await _maria_and_anna(office)
    await transfer(anna, "202")
    bernd = await office.answered("202")
    await anna.ended()
    await office.talk(maria, bernd)
    await maria.hang_up()
    await bernd.ended()
    legs = (Rang("201", anna, "transferred"), Rang("202", bernd, "answered"))
    return [inbound(maria, "answered", *legs, user="bernd", hangup_by="other").passed("201", "202", "blind")]


@situation()
async def blind_no_answer(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna, who passes her on to Bernd. He does not pick up, and Asterisk ends the call."""
    maria, anna = await _maria_and_anna(office)
    await transfer(anna, "9202")
    bernd = await office.ringing("202")
    await maria.ended()
    legs = (Rang("201", anna, "transferred"), Rang("202", bernd, "no_answer"))
    return [inbound(maria, "answered", *legs, user="anna", hangup_by="system").passed("201", "202", "blind")]


@situation()
async def blind_busy(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna, who passes her on to Bernd. He is busy, and Asterisk ends the call."""
    maria, anna = await _maria_and_anna(office)
    await transfer(anna, "202")
    bernd = await office.ringing("202")
    bernd.refuse(486)
    await maria.ended()
    legs = (Rang("201", anna, "transferred"), Rang("202", bernd, "busy"))
    return [inbound(maria, "answered", *legs, user="anna", hangup_by="system").passed("201", "202", "blind")]


@situation()
async def blind_to_queue(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna, who passes her on to the support queue. There all three ring, and Clara picks up."""
    maria, anna = await _maria_and_anna(office)
    await transfer(anna, "620")
    await anna.ended()
    again, bernd, clara = [await office.ringing(phone) for phone in ("201", "202", "203")]
    clara.answer()
    await office.talk(maria, clara)
    await clara.hang_up()
    await maria.ended()
    legs = (
        Rang("201", anna, "transferred"),
        Rang("201", again, "elsewhere"),
        Rang("202", bernd, "elsewhere"),
        Rang("203", clara, "answered"),
    )
    told = inbound(maria, "answered", *legs, user="clara", queue="support", hangup_by="user")
    return [told.without("transfers")]


@situation()
async def blind_outside(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna, who passes her on to Otto outside. Otto picks up."""
    maria, anna = await _maria_and_anna(office)
    await transfer(anna, OTTO)
    otto = await office.ringing_outside()
    otto.ring()
    otto.answer()
    await office.talk(maria, otto)
    await maria.hang_up()
    await otto.ended()
    legs = (Rang("201", anna, "transferred"), Rang(OTTO, otto, "answered"))
    return [inbound(maria, "answered", *legs, user="anna", hangup_by="other").passed("201", OTTO, "blind")]


@situation()
async def outbound_blind(office: Office) -> Sequence[Told]:
    """Anna calls Otto and passes him on to Bernd, who picks up."""
    anna, otto = await _anna_and_otto(office)
    await transfer(anna, "202")
    bernd = await office.answered("202")
    await office.talk(otto, bernd)
    await otto.hang_up()
    await bernd.ended()
    legs = (Rang("201", anna, "transferred", placed=True), Rang("202", bernd, "answered"))
    told = outbound(anna, "answered", *legs, user="bernd", hangup_by="other", **_otto(office, otto))
    return [told.passed("201", "202", "blind")]


async def _anna_and_otto(office: Office) -> tuple[Call, Call]:
    anna = await office.inside("201", OTTO)
    otto = await office.ringing_outside()
    otto.ring()
    otto.answer()
    await office.talk(anna, otto)
    return anna, otto


def _otto(office: Office, otto: Call) -> dict[str, float | None]:
    """What Otto's telephone knows of a call that went out to him."""
    times = {"ringing_at": otto.began_at, "answered_at": otto.answered_at, "ended_at": otto.ended_at}
    return {name: office.at(moment) for name, moment in times.items()}


@situation()
async def attended_by_callee(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna, who puts her on hold, asks Bernd, and connects the two."""
    maria, anna = await _maria_and_anna(office)
    await hold(anna)
    asking, bernd = await _consultation(office)
    await transfer_to(anna, asking)
    await anna.ended()
    await asking.ended()
    await office.talk(maria, bernd)
    await maria.hang_up()
    await bernd.ended()
    legs = (Rang("201", anna, "transferred"), Rang("202", bernd, "answered"))
    told = inbound(maria, "answered", *legs, user="bernd", hangup_by="other").passed("201", "202", "attended")
    return [told, internal(asking, "answered").merged()]


async def _consultation(office: Office) -> tuple[Call, Call]:
    asking = await office.inside("201", "202")
    bernd = await office.answered("202")
    await office.talk(asking, bernd)
    return asking, bernd


@situation()
async def attended_by_caller(office: Office) -> Sequence[Told]:
    """Anna calls Otto, puts him on hold, asks Bernd, and connects the two."""
    anna, otto = await _anna_and_otto(office)
    await hold(anna)
    asking, bernd = await _consultation(office)
    await transfer_to(anna, asking)
    await asking.ended()
    await office.talk(otto, bernd)
    await bernd.hang_up()
    await otto.ended()
    legs = (Rang("201", anna, "transferred", placed=True), Rang("202", bernd, "answered"))
    told = outbound(anna, "answered", *legs, user="bernd", hangup_by="user", **_otto(office, otto))
    return [told.passed("201", "202", "attended"), internal(asking, "answered").merged()]


@situation()
async def attended_to_outside(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna, who asks Otto outside, and connects the two. Nobody of the firm is left in the call."""
    maria, anna = await _maria_and_anna(office)
    await hold(anna)
    asking, otto = await _anna_and_otto(office)
    await transfer_to(anna, asking)
    await asking.ended()
    await office.talk(maria, otto)
    await otto.hang_up()
    await maria.ended()
    legs = (Rang("201", anna, "transferred"), Rang(OTTO, otto, "answered"))
    told = inbound(maria, "answered", *legs, user="anna", hangup_by="other").passed("201", OTTO, "attended")
    return [told, outbound(asking, "answered").merged()]


@situation()
async def attended_while_ringing(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna, who calls Bernd and connects the two while it still rings there. Bernd picks up."""
    maria, anna = await _maria_and_anna(office)
    await hold(anna)
    asking = await office.inside("201", "202")
    bernd = await office.ringing("202")
    await asking.rings()
    await transfer_to(anna, asking)
    await asking.ended()
    bernd.answer()
    await office.talk(maria, bernd)
    await maria.hang_up()
    await bernd.ended()
    legs = (Rang("201", anna, "transferred"), Rang("202", bernd, "answered"))
    told = inbound(maria, "answered", *legs, user="bernd", hangup_by="other").passed("201", "202", "attended")
    return [told, internal(asking, "answered").merged()]


@situation()
async def attended_target_declines(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna, who puts her on hold and asks for Bernd. Bernd declines, and Anna takes Maria back."""
    maria, anna = await _maria_and_anna(office)
    await hold(anna)
    asking = await office.inside("201", "202")
    bernd = await office.ringing("202")
    bernd.refuse(603)
    await asking.ended()
    await resume(anna)
    await office.talk(maria, anna)
    await anna.hang_up()
    await maria.ended()
    return [
        inbound(maria, "answered", Rang("201", anna, "answered"), user="anna", hangup_by="user"),
        internal(asking, "missed", Rang("202", bernd, "declined")),
    ]


@situation()
async def attended_caller_leaves(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna, who puts her on hold and asks Bernd. Maria hangs up meanwhile; Anna and Bernd go on."""
    maria, anna = await _maria_and_anna(office)
    await hold(anna)
    asking, bernd = await _consultation(office)
    await maria.hang_up()
    await anna.ended()
    await office.talk(asking, bernd)
    await asking.hang_up()
    await bernd.ended()
    legs = (Rang("201", asking, "answered", placed=True), Rang("202", bernd, "answered"))
    return [
        inbound(maria, "answered", Rang("201", anna, "answered"), user="anna", hangup_by="other"),
        internal(asking, "answered", *legs, user="bernd", hangup_by="user"),
    ]


@situation()
async def blind_nowhere(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna, who wants to pass her on to an extension that is not there, and goes on talking."""
    maria, anna = await _maria_and_anna(office)
    with contextlib.suppress(FeatureRefused):
        await transfer(anna, "299999")
    await office.talk(maria, anna)
    await maria.hang_up()
    await anna.ended()
    return [inbound(maria, "answered", Rang("201", anna, "answered"), user="anna", hangup_by="other")]


@situation()
async def attended_by_manager(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna. A program (AMI Atxfer) calls Bernd for her; they talk, Anna hangs up, Maria stays."""
    maria, anna = await _maria_and_anna(office, "40")
    channel = office.channel_of("PJSIP/201-")
    await office.asterisk.ami.action("Atxfer", Channel=channel, Exten="202", Context="from-phones")
    bernd = await office.answered("202")
    await office.talk(anna, bernd)
    await anna.hang_up()
    await office.talk(maria, bernd)
    await maria.hang_up()
    await bernd.ended()
    legs = (Rang("201", anna, "transferred"), Rang("202", bernd, "answered"))
    return [inbound(maria, "answered", *legs, user="bernd", hangup_by="other").passed("201", "202", "attended")]


@situation()
async def redirected_by_manager(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna. A program (AMI Redirect) sends Maria to Bernd, who picks up. No event says who did it."""
    maria, anna = await _maria_and_anna(office)
    channel = office.channel_of("PJSIP/trunk-")
    await office.asterisk.ami.action("Redirect", Channel=channel, Exten="202", Context="from-phones", Priority="1")
    bernd = await office.answered("202")
    await anna.ended()
    await office.talk(maria, bernd)
    await maria.hang_up()
    await bernd.ended()
    # Anna did not pass her on herself.
    legs = (Rang("201", anna, "answered"), Rang("202", bernd, "answered"))
    told = inbound(maria, "answered", *legs, user="bernd", hangup_by="other")
    return [told.without("transfers")]


@situation()
async def pickup(office: Office) -> Sequence[Told]:
    """Maria calls Anna; Bernd hears it ring, dials *8 and has her."""
    return await _picked_up(office, "*8")


@situation()
async def pickup_directed(office: Office) -> Sequence[Told]:
    """Maria calls Anna; Bernd dials **201 (PickupChan) and has her."""
    return await _picked_up(office, "**201")


async def _picked_up(office: Office, code: str) -> Sequence[Told]:
    maria = await office.outside("01")
    anna = await office.ringing("201")
    await maria.rings()
    bernd = await office.inside("202", code)
    await bernd.answered()
    await office.talk(maria, bernd)
    await maria.hang_up()
    await bernd.ended()
    legs = (Rang("201", anna, "elsewhere"), Rang("202", bernd, "answered", placed=True))
    told = inbound(maria, "answered", *legs, user="bernd", hangup_by="other").passed("201", "202", "pickup")
    # Bernd's own call was never one: it became a part of Maria's before it reached anybody.
    return [told]


@situation()
async def park_retrieved(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna, who parks her (transfer to 700). Bernd dials 701 and has her."""
    maria, anna = await _maria_and_anna(office)
    await transfer(anna, "700")
    space = (await office.tape.event("ParkedCall"))["ParkingSpace"]
    await anna.hang_up()
    bernd = await office.inside("202", space)
    await office.talk(maria, bernd)
    await maria.hang_up()
    await bernd.ended()
    legs = (Rang("201", anna, "transferred"), Rang("202", bernd, "answered", placed=True))
    told = inbound(maria, "answered", *legs, user="bernd", hangup_by="other").passed("201", "202", "park")
    # Bernd's own call was never one: it became a part of Maria's before it reached anybody.
    return [told]


@situation()
async def park_timeout(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna, who parks her. Nobody fetches her; after two seconds Anna's phone rings, she answers."""
    maria, anna = await _maria_and_anna(office)
    await transfer(anna, "750")
    await office.tape.event("ParkedCall")
    await anna.hang_up()
    again = await office.answered("201")
    await office.talk(maria, again)
    await again.hang_up()
    await maria.ended()
    legs = (Rang("201", anna, "transferred"), Rang("201", again, "answered"))
    return [inbound(maria, "answered", *legs, user="anna", hangup_by="user").passed("201", None, "park")]


@situation()
async def park_abandoned(office: Office) -> Sequence[Told]:
    """Maria speaks with Anna, who parks her. Maria hangs up before anybody fetches her."""
    maria, anna = await _maria_and_anna(office)
    await transfer(anna, "700")
    await office.tape.event("ParkedCall")
    await anna.hang_up()
    await maria.hang_up()
    told = inbound(maria, "answered", Rang("201", anna, "transferred"), user="anna", hangup_by="other")
    return [told.passed("201", None, "park")]


@situation()
async def conference(office: Office) -> Sequence[Told]:
    """Maria and Otto call the conference room, Anna dials in. All three talk; Otto leaves, then Anna, then Maria."""
    maria = await office.outside("50")
    await maria.answered()
    otto = await office.outside("50", caller=OTTO)
    await otto.answered()
    anna = await office.inside("201", "800")
    await anna.answered()
    await office.talk(maria, otto)
    await office.talk(otto, anna)
    await otto.hang_up()
    await office.talk(maria, anna)
    await anna.hang_up()
    await maria.hang_up()
    met = office.at(otto.answered_at)
    leg = Rang("201", anna, "answered", placed=True)
    return [
        inbound(maria, "answered", leg, hangup_by="other", user="anna", answered_at=met),
        # Anna stays longer than Otto, whose call her leg is too.
        inbound(otto, "answered", hangup_by="other", user="anna", answered_at=met).without("legs"),
        internal(anna, "answered", leg, hangup_by="user"),
    ]


@situation()
async def held(office: Office) -> Sequence[Told]:
    """Maria and Anna talk. Anna puts Maria on hold and takes her back; then Maria does so with Anna. Maria hangs up."""
    maria, anna = await _maria_and_anna(office)
    first = await _on_hold(office, anna, maria)
    await office.talk(maria, anna)
    second = await _on_hold(office, maria, anna)
    await office.talk(maria, anna)
    await maria.hang_up()
    await anna.ended()
    leg, hold_s = Rang("201", anna, "answered"), round(first + second, 3)
    return [inbound(maria, "answered", leg, user="anna", hangup_by="other", hold_s=hold_s)]


async def _on_hold(office: Office, who: Call, whom: Call) -> float:
    """Hold somebody until there was some music, and return for how long that was."""
    began = office.now
    await hold(who)
    await hears(whom, MUSIC_HZ, 0.4)
    await resume(who)
    return office.now - began


@situation()
async def held_and_left(office: Office) -> Sequence[Told]:
    """Maria and Anna talk. Anna puts Maria on hold; Maria has enough of the music and hangs up."""
    maria, anna = await _maria_and_anna(office)
    await hold(anna)
    await office.tape.event("Hold")
    await maria.hang_up()
    await anna.ended()
    return [inbound(maria, "answered", Rang("201", anna, "answered"), user="anna", hangup_by="other")]


@situation()
async def recorded_transfer(office: Office) -> Sequence[Told]:
    """Maria calls a number whose calls are recorded. She speaks with Anna, who passes her on to Bernd."""
    maria, anna = await _maria_and_anna(office, "41")
    await transfer(anna, "202")
    bernd = await office.answered("202")
    await office.talk(maria, bernd)
    await maria.hang_up()
    await bernd.ended()
    legs = (Rang("201", anna, "transferred"), Rang("202", bernd, "answered"))
    told = inbound(maria, "answered", *legs, user="bernd", hangup_by="other", recording={"state": "pending"})
    return [told.passed("201", "202", "blind")]
