"""One telephone calls one other: inbound, outbound, internal."""

from collections.abc import Sequence

from rig.office import MARIA, OTTO, Office
from rig.situations.situation import situation
from rig.told import Rang, Told, inbound, internal, outbound


@situation()
async def inbound_answered(office: Office) -> Sequence[Told]:
    """Maria calls Anna's number. Anna's telephone 201 rings, she picks up, they talk. Maria hangs up."""
    maria = await office.outside("01", name="Maria Berger")
    anna = await office.answered("201")
    await office.talk(maria, anna)
    await maria.hang_up()
    await anna.ended()
    return [inbound(maria, "answered", Rang("201", anna, "answered"), user="anna", hangup_by="other", cause=16)]


@situation()
async def inbound_anna_hangs_up(office: Office) -> Sequence[Told]:
    """Maria calls Anna's number, Anna picks up and hangs up after they have talked."""
    maria = await office.outside("01")
    anna = await office.answered("201")
    await office.talk(maria, anna)
    await anna.hang_up()
    await maria.ended()
    return [inbound(maria, "answered", Rang("201", anna, "answered"), user="anna", hangup_by="user", cause=16)]


@situation()
async def inbound_withheld(office: Office) -> Sequence[Told]:
    """Somebody who shows no number calls Anna, and Anna picks up."""
    somebody = await office.outside("01", withheld=True)
    anna = await office.answered("201")
    await office.talk(somebody, anna)
    await somebody.hang_up()
    await anna.ended()
    more = {"from": None, "user": "anna", "hangup_by": "other"}
    return [inbound(somebody, "answered", Rang("201", anna, "answered"), **more)]


@situation()
async def inbound_caller_gives_up(office: Office) -> Sequence[Told]:
    """Maria calls Anna, and hangs up while it rings."""
    maria = await office.outside("01")
    anna = await office.ringing("201")
    await maria.rings()
    await maria.hang_up()
    await anna.ended()
    return [inbound(maria, "missed", Rang("201", anna, "cancelled"), user=None, hangup_by="other")]


@situation()
async def inbound_busy(office: Office) -> Sequence[Told]:
    """Maria calls Anna, whose telephone says that it is busy."""
    maria = await office.outside("01")
    anna = await office.ringing("201")
    anna.refuse(486)
    await maria.ended()
    return [inbound(maria, "missed", Rang("201", anna, "busy"), user=None)]


@situation()
async def inbound_declined(office: Office) -> Sequence[Told]:
    """Maria calls Anna, who presses the key that declines."""
    maria = await office.outside("01")
    anna = await office.ringing("201")
    await maria.rings()
    anna.refuse(603)
    await maria.ended()
    return [inbound(maria, "missed", Rang("201", anna, "declined"), user=None)]


@situation()
async def inbound_no_answer(office: Office) -> Sequence[Told]:
    """Maria calls Anna, nobody picks up, after two seconds Asterisk ends the call."""
    maria = await office.outside("02")
    anna = await office.ringing("201")
    await anna.ended()
    await maria.ended()
    return [inbound(maria, "missed", Rang("201", anna, "no_answer"), user=None, hangup_by="system")]


@situation()
async def inbound_menu(office: Office) -> Sequence[Told]:
    """Maria calls a number where Asterisk itself answers, plays a text and hangs up. Nobody has spoken to her."""
    maria = await office.outside("05")
    await maria.answered()
    await maria.ended()
    return [inbound(maria, "missed", user=None, hangup_by="system", answered_at=None)]


@situation()
async def two_at_once(office: Office) -> Sequence[Told]:
    """Maria and Otto call at the same time; Otto reaches Bernd in the ring group, Maria reaches Anna."""
    maria = await office.outside("01", caller=MARIA)
    anna = await office.ringing("201")
    otto = await office.outside("10", caller=OTTO)
    second = await office.ringing("201")
    bernd, clara = await office.ringing("202"), await office.ringing("203")
    anna.answer()
    bernd.answer()
    await clara.ended()
    await office.talk(otto, bernd)
    await office.talk(maria, anna)
    await maria.hang_up()
    await otto.hang_up()
    legs = (Rang("201", second, "elsewhere"), Rang("202", bernd, "answered"), Rang("203", clara, "elsewhere"))
    return [
        inbound(maria, "answered", Rang("201", anna, "answered"), user="anna", hangup_by="other"),
        inbound(otto, "answered", *legs, user="bernd", hangup_by="other"),
    ]


@situation()
async def internal_answered(office: Office) -> Sequence[Told]:
    """Anna calls Bernd, he picks up, and hangs up."""
    anna = await office.inside("201", "202")
    bernd = await office.answered("202")
    await office.talk(anna, bernd)
    await bernd.hang_up()
    await anna.ended()
    legs = (Rang("201", anna, "answered", placed=True), Rang("202", bernd, "answered"))
    return [internal(anna, "answered", *legs, user="bernd", hangup_by="user")]


@situation()
async def internal_no_answer(office: Office) -> Sequence[Told]:
    """Anna calls Bernd, who does not pick up."""
    anna = await office.inside("201", "9202")
    bernd = await office.ringing("202")
    await bernd.ended()
    await anna.ended()
    return [internal(anna, "missed", Rang("202", bernd, "no_answer"))]


@situation()
async def outbound_answered(office: Office) -> Sequence[Told]:
    """Anna calls Otto, they talk, Anna hangs up."""
    anna = await office.inside("201", OTTO)
    otto = await office.ringing_outside()
    otto.ring()
    await anna.rings()
    otto.answer()
    await office.talk(anna, otto)
    await anna.hang_up()
    await otto.ended()
    answered = {"answered_at": office.at(otto.answered_at), "ringing_at": office.at(otto.began_at)}
    leg = Rang("201", anna, "answered", placed=True)
    return [outbound(anna, "answered", leg, user="anna", hangup_by="user", **answered)]


@situation()
async def outbound_busy(office: Office) -> Sequence[Told]:
    """Anna calls Otto, who is busy."""
    return await _refused(office, 486, "busy")


@situation()
async def outbound_declined(office: Office) -> Sequence[Told]:
    """Anna calls Otto, who declines."""
    return await _refused(office, 603, "unanswered")


@situation()
async def outbound_failed(office: Office) -> Sequence[Told]:
    """Anna calls a number that the provider does not know."""
    return await _refused(office, 404, "failed")


@situation()
async def outbound_provider_down(office: Office) -> Sequence[Told]:
    """Anna calls Otto, and the provider has no line free."""
    return await _refused(office, 503, "failed")


async def _refused(office: Office, status: int, outcome: str) -> Sequence[Told]:
    anna = await office.inside("201", OTTO)
    otto = await office.ringing_outside()
    otto.refuse(status)
    await anna.ended()
    return [outbound(anna, outcome, user="anna", ringing_at=office.at(otto.began_at)).without("legs")]


@situation()
async def outbound_no_answer(office: Office) -> Sequence[Told]:
    """Anna calls Otto, who does not pick up; after two seconds Asterisk ends the call."""
    anna = await office.inside("201", f"9{OTTO}")
    otto = await office.ringing_outside()
    await otto.ended()
    await anna.ended()
    return [outbound(anna, "unanswered", user="anna", ringing_at=office.at(otto.began_at)).without("legs")]


@situation()
async def outbound_given_up(office: Office) -> Sequence[Told]:
    """Anna calls Otto, and hangs up while it rings there."""
    anna = await office.inside("201", OTTO)
    otto = await office.ringing_outside()
    await anna.rings()
    await anna.hang_up()
    await otto.ended()
    more = {"user": "anna", "hangup_by": "user"}
    return [outbound(anna, "unanswered", ringing_at=office.at(otto.began_at), **more).without("legs")]
