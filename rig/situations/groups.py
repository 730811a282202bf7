"""Several telephones ring: ring groups, queues, forwards, and the mailbox when nobody answers."""

from collections.abc import Sequence

from rig.office import MOBILE, Office
from rig.sip import Call
from rig.sip_features import forward, transfer
from rig.situations.situation import situation
from rig.tape import HEARD
from rig.told import Rang, Told, inbound


async def _all_ring(office: Office) -> tuple[Call, Call, Call]:
    return await office.ringing("201"), await office.ringing("202"), await office.ringing("203")


def _legs(calls: Sequence[Call], *results: str) -> list[Rang]:
    return [
        Rang(phone, call, result) for phone, call, result in zip(("201", "202", "203"), calls, results, strict=True)
    ]


@situation()
async def group_answered(office: Office) -> Sequence[Told]:
    """Maria calls the ring group. All three telephones ring, Bernd picks up."""
    maria = await office.outside("10")
    calls = await _all_ring(office)
    calls[1].answer()
    await office.talk(maria, calls[1])
    await maria.hang_up()
    await calls[1].ended()
    legs = _legs(calls, "elsewhere", "answered", "elsewhere")
    return [inbound(maria, "answered", *legs, user="bernd", hangup_by="other")]


@situation()
async def group_none(office: Office) -> Sequence[Told]:
    """Maria calls the ring group, and nobody picks up."""
    maria = await office.outside("11")
    calls = await _all_ring(office)
    await maria.ended()
    return [inbound(maria, "missed", *_legs(calls, *["no_answer"] * 3), user=None, hangup_by="system")]


@situation()
async def group_one_declines(office: Office) -> Sequence[Told]:
    """Maria calls the ring group. Anna declines, Bernd is busy, Clara picks up."""
    maria = await office.outside("10")
    calls = await _all_ring(office)
    calls[0].refuse(603)
    calls[1].refuse(486)
    calls[2].answer()
    await office.talk(maria, calls[2])
    await calls[2].hang_up()
    await maria.ended()
    return [inbound(maria, "answered", *_legs(calls, "declined", "busy", "answered"), user="clara", hangup_by="user")]


@situation()
async def queue_answered(office: Office) -> Sequence[Told]:
    """Maria calls the support queue, where all telephones ring at once. Anna picks up."""
    maria = await office.outside("20")
    calls = await _all_ring(office)
    calls[0].answer()
    await office.talk(maria, calls[0])
    await maria.hang_up()
    await calls[0].ended()
    legs = _legs(calls, "answered", "elsewhere", "elsewhere")
    return [inbound(maria, "answered", *legs, user="anna", queue="support", hangup_by="other")]


@situation()
async def queue_busy_member(office: Office) -> Sequence[Told]:
    """Maria calls the support queue. Anna's telephone says that it is busy, Bernd picks up and hangs up at the end."""
    maria = await office.outside("20")
    calls = await _all_ring(office)
    calls[0].refuse(486)
    await office.tape.event("AgentRingNoAnswer", Interface="PJSIP/201")
    calls[1].answer()
    await office.talk(maria, calls[1])
    await calls[1].hang_up()
    await maria.ended()
    legs = _legs(calls, "busy", "answered", "elsewhere")
    return [inbound(maria, "answered", *legs, user="bernd", queue="support", hangup_by="user")]


@situation()
async def queue_abandoned(office: Office) -> Sequence[Told]:
    """Maria calls the support queue, and gives up while the telephones ring."""
    maria = await office.outside("20")
    calls = await _all_ring(office)
    await maria.hang_up()
    for call in calls:
        await call.ended()
    more = {"answered_at": None, "user": None, "queue": "support", "hangup_by": "other"}
    return [inbound(maria, "abandoned", *_legs(calls, *["cancelled"] * 3), **more)]


@situation()
async def queue_gives_up_at_once(office: Office) -> Sequence[Told]:
    """Maria calls the support queue, where everybody is busy, and gives up before anybody could answer."""
    maria = await office.outside("20")
    calls = await _all_ring(office)
    for call in calls:
        call.refuse(486)
    await office.tape.until(lambda: len(office.tape.events("AgentRingNoAnswer")) >= len(calls))
    await maria.hang_up()
    told = inbound(maria, "abandoned", answered_at=None, user=None, queue="support", hangup_by="other")
    # The queue may have rung them once more meanwhile.
    return [told.without("legs", "ringing_at")]


@situation()
async def queue_local_answered(office: Office) -> Sequence[Told]:
    """Maria calls the sales queue, whose members are Local channels that stay. Bernd picks up."""
    maria = await office.outside("22")
    calls = await _all_ring(office)
    calls[1].answer()
    await office.talk(maria, calls[1])
    await maria.hang_up()
    await calls[1].ended()
    legs = _legs(calls, "elsewhere", "answered", "elsewhere")
    return [inbound(maria, "answered", *legs, user="bernd", queue="sales", hangup_by="other")]


@situation()
async def queue_local_abandoned(office: Office) -> Sequence[Told]:
    """Maria calls the sales queue, whose members are Local channels, and gives up while it rings."""
    maria = await office.outside("22")
    calls = await _all_ring(office)
    await maria.hang_up()
    for call in calls:
        await call.ended()
    more = {"answered_at": None, "user": None, "queue": "sales", "hangup_by": "other"}
    return [inbound(maria, "abandoned", *_legs(calls, *["cancelled"] * 3), **more)]


@situation()
async def queue_local_transferred(office: Office) -> Sequence[Told]:
    """Maria calls the sales queue, whose members are Local channels. Anna picks up, and passes her on to Clara."""
    maria = await office.outside("22")
    calls = await _all_ring(office)
    calls[0].answer()
    await office.talk(maria, calls[0])
    await transfer(calls[0], "203")
    clara = await office.answered("203")
    await office.talk(maria, clara)
    await clara.hang_up()
    await maria.ended()
    legs = [*_legs(calls, "transferred", "elsewhere", "elsewhere"), Rang("203", clara, "answered")]
    told = inbound(maria, "answered", *legs, user="clara", queue="sales", hangup_by="user")
    # Clara's telephone rang twice, of which one leg is made.
    return [told.passed("201", "203", "blind").without("legs")]


@situation()
async def queue_timeout_voicemail(office: Office) -> Sequence[Told]:
    """Maria calls the support queue. After two seconds nobody has picked up; she is sent to the mailbox and speaks."""
    maria = await office.outside("21")
    calls = await _all_ring(office)
    await office.tape.event("CEL", EventName="APP_START")
    await _speaks_to_the_mailbox(maria)
    return [inbound(maria, "voicemail", *_legs(calls, *["no_answer"] * 3), **_NOBODY, queue="support")]


@situation()
async def voicemail_direct(office: Office) -> Sequence[Told]:
    """Maria calls a number that leads straight to Anna's mailbox, and leaves a message."""
    maria = await office.outside("04")
    await _speaks_to_the_mailbox(maria)
    return [inbound(maria, "voicemail", **_NOBODY)]


@situation()
async def voicemail_no_answer(office: Office) -> Sequence[Told]:
    """Maria calls Anna, who does not pick up. Maria leaves a message in her mailbox."""
    maria = await office.outside("03")
    anna = await office.ringing("201")
    await _speaks_to_the_mailbox(maria)
    return [inbound(maria, "voicemail", Rang("201", anna, "no_answer"), **_NOBODY)]


@situation(f"{HEARD},dialplan")
async def voicemail_dialplan(office: Office) -> Sequence[Told]:
    """As voicemail-no-answer, heard by a manager user who may read the class dialplan."""
    return await voicemail_no_answer(office)


_NOBODY: dict[str, None] = {"answered_at": None, "user": None}


async def _speaks_to_the_mailbox(caller: Call) -> None:
    await caller.answered()
    # The greeting, then the tone after which one speaks.
    await caller.hears(lambda heard: heard.sound and heard.lasts_s > 1.0)
    caller.speak(700)
    await caller.hang_up()


@situation()
async def forward_local(office: Office) -> Sequence[Told]:
    """Maria calls Anna, whose calls follow her to Bernd's desk by a Local channel. There they are answered."""
    maria = await office.outside("30")
    bernd = await office.answered("202")
    await office.talk(maria, bernd)
    await office.tape.until(lambda: len(office.tape.events("Hangup")) >= 2, "the Local halves stay")
    await maria.hang_up()
    await bernd.ended()
    return [
        inbound(maria, "answered", Rang("202", bernd, "answered"), user="bernd", hangup_by="other").without("transfers")
    ]


@situation()
async def forward_local_twice(office: Office) -> Sequence[Told]:
    """Maria calls; Anna's telephone rings, and Bernd's behind two Local channels. Bernd picks up."""
    maria = await office.outside("32")
    anna, bernd = await office.ringing("201"), await office.ringing("202")
    bernd.answer()
    await office.talk(maria, bernd)
    await office.tape.until(lambda: len(office.tape.events("Hangup")) >= 5, "the Local halves stay")
    await bernd.hang_up()
    await maria.ended()
    legs = (Rang("201", anna, "elsewhere"), Rang("202", bernd, "answered"))
    return [inbound(maria, "answered", *legs, user="bernd", hangup_by="user").without("transfers")]


@situation()
async def forward_mobile(office: Office) -> Sequence[Told]:
    """Maria calls Anna, whose calls follow her to her mobile outside. She picks up there."""
    maria = await office.outside("31")
    mobile = await office.ringing_outside()
    mobile.ring()
    mobile.answer()
    await office.talk(maria, mobile)
    await office.tape.until(lambda: len(office.tape.events("Hangup")) >= 2, "the Local halves stay")
    await maria.hang_up()
    await mobile.ended()
    told = inbound(maria, "answered", Rang(MOBILE, mobile, "answered"), hangup_by="other")
    return [told.passed("201", MOBILE, "forward")]


@situation()
async def forward_by_phone(office: Office) -> Sequence[Told]:
    """Maria calls Anna, whose telephone itself sends the call on to Bernd (302). Bernd picks up."""
    maria = await office.outside("01")
    anna = await office.ringing("201")
    forward(anna, "202")
    bernd = await office.answered("202")
    await office.talk(maria, bernd)
    await maria.hang_up()
    await bernd.ended()
    legs = (Rang("201", anna, "transferred"), Rang("202", bernd, "answered"))
    told = inbound(maria, "answered", *legs, user="bernd", hangup_by="other")
    return [told.passed("201", "202", "forward")]


@situation()
async def forward_mobile_voicemail(office: Office) -> Sequence[Told]:
    """Maria calls Anna, whose mobile outside rings in vain for two seconds. Maria leaves a message in the mailbox."""
    maria = await office.outside("33")
    mobile = await office.ringing_outside()
    mobile.ring()
    await _speaks_to_the_mailbox(maria)
    told = inbound(maria, "voicemail", Rang(MOBILE, mobile, "no_answer"), **_NOBODY)
    return [told.passed("201", MOBILE, "forward")]
