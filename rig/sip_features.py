"""What the keys of a desk telephone do in a call: hold, pass it on, forward it.

await hold(call)
await resume(call)
await transfer(call, "202")             # blind: the other party rings 202
await transfer_to(call, consultation)   # attended: the other parties of both calls talk from now on
"""

from urllib.parse import quote

from rig.sip_call import Call

ACCEPTED = 202


class FeatureRefused(AssertionError):
    """Asterisk did not do what the key asks for."""


async def hold(call: Call) -> None:
    """Put the other party on hold."""
    _demand("hold", await call.ask(call.offer("sendonly")), 200)


async def resume(call: Call) -> None:
    """Take the other party back from hold."""
    _demand("resume", await call.ask(call.offer("sendrecv")), 200)


async def transfer(call: Call, number: str) -> None:
    """Pass the other party on to a number, and hang up once Asterisk has called it (RFC 3515)."""
    await _pass_on(call, _uri(call, number))


async def transfer_to(call: Call, consultation: Call, number: str = "") -> None:
    """Connect the other parties of two calls of ours (RFC 3891, Replaces)."""
    call_id, theirs, ours = consultation.dialog
    # As Asterisk sees that dialog: `to-tag` is its own.
    replaces = quote(f"{call_id};to-tag={theirs};from-tag={ours}", safe="")
    target = f"{_uri(consultation, number or consultation.called)}?Replaces={replaces}"
    await _pass_on(call, target)


def forward(call: Call, number: str) -> None:
    """Send a call on that rings here, as the telephone's own forwarding does (302)."""
    call.refuse(302, (("Contact", f"<{_uri(call, number)}>"),))


async def _pass_on(call: Call, target: str) -> None:
    _demand(f"REFER to {target}", await call.ask(call.ask_to_call(target)), ACCEPTED)
    _demand(f"transfer to {target}", await call.passed_on(), 200)
    await call.hang_up()


def _uri(call: Call, number: str) -> str:
    host, port = call.address
    return f"sip:{quote(number, safe='+*-_.!~')}@{host}:{port}"


def _demand(what: str, status: int, wanted: int) -> None:
    if status != wanted:
        raise FeatureRefused(f"{what}: Asterisk answered {status}")
