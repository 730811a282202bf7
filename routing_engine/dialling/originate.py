"""What the PBX is told so that a user's phone rings and the number is called once the user has answered."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from routing_engine.calls.changes import DIALLED
from routing_engine.dialling.wish import DialTarget
from routing_engine.settings.dialling import DialKeys
from routing_engine.settings.pbx import EXTENSION, PbxKeys

#: By which a telephone in the page knows a call that was clicked in it.
CALL_HEADER = "X-Routing-Engine-Call"


def originate_fields(
    call_id: str, keys: PbxKeys, dial: DialKeys, extension: str, target: DialTarget, shown: str | None
) -> Mapping[str, str | Sequence[str]]:
    """Return the fields of the action Originate. Nothing of it was written by anybody outside: digits, and our files.

    `CallerID` is not among them: the dialplan would begin with the customer's number as the caller, and a trunk refuse
    a customer who calls himself. The phone shows the other end of the line, and the dialplan begins with the extension.
    """
    variables = [
        f"CONNECTEDLINE(num)={target.number}",
        f"CALLERID(num)={extension}",
        f"PJSIP_HEADER(add,{CALL_HEADER})={call_id}",
        *header_variables(dial.auto_answer, extension),
    ]
    if shown is not None:
        variables.append(f"{dial.caller_id_variable}={shown}")
    return {
        "Channel": keys.phones.replace(EXTENSION, extension),
        "Context": dial.context,
        "Exten": target.exten,
        "Priority": "1",
        "Timeout": str(round(dial.ring_s * 1000)),
        "Variable": [one for one in variables if keys.phones.startswith("PJSIP/") or not one.startswith("PJSIP_")],
    }


def channel_id(call_id: str) -> str:
    """Return the id of the phone's channel, by which the call is known."""
    return DIALLED + call_id


def header_variables(makers: Mapping[str, tuple[str, ...]], extension: str) -> list[str]:
    """Return the variables that make a phone answer by itself, on its own channel; none where it is not asked to."""
    return [one for maker, extensions in makers.items() if _among(extensions, extension) for one in _HEADERS[maker]]


def _among(patterns: tuple[str, ...], extension: str) -> bool:
    return any(re.fullmatch(re.escape(one).replace(r"\*", ".*"), extension) for one in patterns)


_ANSWER_AFTER = "PJSIP_HEADER(add,Call-Info)=<sip:routing-engine>\\;answer-after=0"
_ALERT = "PJSIP_HEADER(add,Alert-Info)="
#: The header by which each maker's phones answer by themselves. Source: the notes on computer telephony, 4.1.
_HEADERS: Mapping[str, tuple[str, ...]] = {
    "aastra": (_ALERT + "info=alert-autoanswer\\;delay=0",),
    "audiocodes": (_ANSWER_AFTER, _ALERT + "info=alert-autoanswer"),
    "fanvil": (_ANSWER_AFTER,),
    "gigaset": (_ANSWER_AFTER, _ALERT + "info=alert-autoanswer"),
    "grandstream": (_ANSWER_AFTER,),
    "polycom": (_ALERT + "Ring-Answer",),
    "snom": (_ANSWER_AFTER,),
    "yealink": (_ALERT + "info=alert-autoanswer",),
}
