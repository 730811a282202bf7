"""A program dials for a user: the user's telephone rings first, then the other party's. And calls that a route sent."""

from collections.abc import Sequence

from rig.office import FIRM, OTTO, Office
from rig.sip import Call
from rig.situations.situation import situation
from rig.told import Members, Rang, Told, clicked, inbound


async def _click(office: Office, ring_s: int = 30, channel: str = "PJSIP/201") -> Call:
    """Dial Otto for Anna, as the engine does it, and return the call at her telephone."""
    await office.asterisk.ami.action(
        "Originate",
        Channel=channel,
        Context="from-phones",
        Exten=OTTO,
        Priority="1",
        CallerID=f'"Otto" <{OTTO}>',
        Variable=f"ROUTING_ENGINE_CALLER_ID={FIRM}",
        Timeout=str(ring_s * 1000),
        ChannelId=office.click_id(),
        Async="true",
    )
    return await office.ringing("201")


def _otto(office: Office, otto: Call) -> Members:
    return {"answered_at": office.at(otto.answered_at)}


def _only_rang(office: Office, anna: Call) -> Members:
    return {"ringing_at": office.at(anna.began_at), "answered_at": None}


@situation()
async def click_answered(office: Office) -> Sequence[Told]:
    """Anna clicks on Otto's number. Her telephone rings, she picks up; then Otto is called, and picks up."""
    anna = await _click(office)
    anna.answer()
    otto = await office.ringing_outside()
    otto.ring()
    otto.answer()
    await office.talk(anna, otto)
    await otto.hang_up()
    await anna.ended()
    leg = Rang("201", anna, "answered")
    return [clicked(anna, "answered", leg, user="anna", hangup_by="other", **_otto(office, otto))]


@situation()
async def click_local(office: Office) -> Sequence[Told]:
    """A click of a program that rings Anna through a Local channel. She picks up; then Otto is called, and picks up."""
    anna = await _click(office, channel="Local/201@agents")
    anna.answer()
    otto = await office.ringing_outside()
    otto.ring()
    otto.answer()
    await office.talk(anna, otto)
    await anna.hang_up()
    await otto.ended()
    leg = Rang("201", anna, "answered")
    return [clicked(anna, "answered", leg, user="anna", hangup_by="user", **_otto(office, otto))]


@situation()
async def click_no_answer(office: Office) -> Sequence[Told]:
    """Anna clicks on Otto's number, but does not pick up her telephone. Otto is never called."""
    anna = await _click(office, ring_s=2)
    await anna.ended()
    await office.tape.event("OriginateResponse")
    return [clicked(anna, "unanswered", Rang("201", anna, "no_answer"), user="anna").without("did")]


@situation()
async def click_busy(office: Office) -> Sequence[Told]:
    """Anna clicks on Otto's number; her own telephone says that it is busy."""
    anna = await _click(office)
    anna.refuse(486)
    await office.tape.event("OriginateResponse")
    return [clicked(anna, "unanswered", Rang("201", anna, "busy"), user="anna").without("did")]


@situation()
async def click_declined(office: Office) -> Sequence[Told]:
    """Anna clicks on Otto's number, and then declines the call of her own telephone."""
    anna = await _click(office)
    anna.refuse(603)
    await office.tape.event("OriginateResponse")
    return [clicked(anna, "unanswered", Rang("201", anna, "declined"), user="anna").without("did")]


@situation()
async def click_customer_busy(office: Office) -> Sequence[Told]:
    """Anna clicks on Otto's number and picks up; Otto is busy."""
    anna = await _click(office)
    anna.answer()
    otto = await office.ringing_outside()
    otto.refuse(486)
    await anna.ended()
    return [clicked(anna, "busy", user="anna", **_only_rang(office, anna)).without("legs")]


@situation()
async def click_customer_no_answer(office: Office) -> Sequence[Told]:
    """Anna clicks on Otto's number and picks up; it rings at Otto's, and Anna hangs up."""
    anna = await _click(office)
    anna.answer()
    otto = await office.ringing_outside()
    otto.ring()
    await office.tape.event("DialState", DialStatus="RINGING", DestCallerIDNum=OTTO)
    await anna.hang_up()
    await otto.ended()
    return [clicked(anna, "unanswered", user="anna", hangup_by="user", **_only_rang(office, anna)).without("legs")]


@situation()
async def click_cancelled(office: Office) -> Sequence[Told]:
    """Anna clicks on Otto's number, and takes it back while her telephone rings (AMI Hangup)."""
    anna = await _click(office)
    await office.asterisk.ami.action("Hangup", Channel=office.channel_of("PJSIP/201-"))
    await anna.ended()
    await office.tape.event("OriginateResponse")
    return [clicked(anna, "unanswered", user="anna", **_only_rang(office, anna)).without("legs", "did")]


@situation()
async def route_answered(office: Office) -> Sequence[Told]:
    """Maria calls; the engine sends her to Anna, who picks up. The id of the decision goes with the call."""
    maria = await office.outside("60")
    anna = await office.answered("201")
    await office.talk(maria, anna)
    await maria.hang_up()
    await anna.ended()
    return [inbound(maria, "answered", Rang("201", anna, "answered"), user="anna", hangup_by="other")]


@situation()
async def route_chain(office: Office) -> Sequence[Told]:
    """Maria calls; the engine sends her to Anna, who does not pick up, and then on to Bernd, who does."""
    maria = await office.outside("62")
    anna = await office.ringing("201")
    await anna.ended()
    bernd = await office.answered("202")
    await office.talk(maria, bernd)
    await bernd.hang_up()
    await maria.ended()
    legs = (Rang("201", anna, "no_answer"), Rang("202", bernd, "answered"))
    return [inbound(maria, "answered", *legs, user="bernd", hangup_by="user")]


@situation()
async def route_emergency(office: Office) -> Sequence[Told]:
    """Maria calls; the engine sends her to Anna, who does not pick up, and there is nobody after her. Maria hears the
    emergency prompt of the shipped dialplan, and is hung up on."""
    maria = await office.outside("61")
    anna = await office.ringing("201")
    await anna.ended()
    await maria.answered()
    await maria.ended()
    more: Members = {"user": None, "answered_at": None, "hangup_by": "system"}
    return [inbound(maria, "missed", Rang("201", anna, "no_answer"), **more)]


@situation()
async def route_no_engine(office: Office) -> Sequence[Told]:
    """Maria calls, and no engine answers the PBX. She hears the emergency prompt of the shipped dialplan."""
    maria = await office.outside("63")
    await maria.answered()
    await maria.ended()
    return [inbound(maria, "missed", user=None, answered_at=None, hangup_by="system")]
