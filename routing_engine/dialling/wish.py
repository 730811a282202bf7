"""What is to be dialled: a number as people write it, as the dialplan wants it, and what is shown at the other end."""

from __future__ import annotations

import re
from dataclasses import dataclass

from routing_engine.core.phone import country_of, dialled_from, read_number
from routing_engine.errors import CommandRefused
from routing_engine.settings.dialling import DialKeys, may_show
from routing_engine.settings.pbx import PbxKeys
from routing_engine.settings.people import User

#: No number is longer as people write it, with a country code, brackets and blanks.
LONGEST = 60
#: With fewer digits, and neither + nor 0 in front, it may be an extension.
_OUTSIDE_LEAST = 9
_ELSE = "else"
#: Around numbers in links of pages: `tel:+43-1-234;ext=5`.
_LINK = re.compile(r"\A(?:tel|callto|sips?):(?://)?|[;?].*\Z", re.I)


@dataclass(frozen=True, slots=True)
class DialTarget:
    """A number to dial. `exten` is what the dialplan gets, `number` what the call is known by.

    `country` is that of a number of the outside (ISO 3166), "" for one of no country; None for an extension.
    """

    exten: str
    number: str
    country: str | None = None
    emergency: bool = False


def read_target(text: str, keys: DialKeys, region: str) -> DialTarget:
    """Read what somebody wants to dial. Raises `CommandRefused` for what is no number.

    Codes with * and # are not dialled: a number in a record of a CRM could else switch on a forward to the far end of
    the world.
    """
    wanted = _LINK.sub("", text.strip()[: LONGEST + 1]).strip()
    if is_emergency(wanted, region):
        # As it is, without a prefix, and whatever the numbering plan makes of it: it must reach who helps.
        return DialTarget(wanted, wanted, region, emergency=True)
    number = None if len(wanted) > LONGEST else read_number(wanted, region)
    if number is None:
        raise CommandRefused("bad_number", "this is not a number that can be dialled", "write it as +436641234567")
    outside = number.e164.startswith("+") and (number.digits[0] in "+0" or len(number.digits) >= _OUTSIDE_LEAST)
    if not outside:
        return DialTarget(number.digits, number.digits)
    as_dialled = dialled_from(number.e164, region) if keys.numbers_as == "national" else number.e164
    return DialTarget(keys.prefix + as_dialled, number.e164, country_of(number))


def is_emergency(digits: str, region: str) -> bool:
    """Return whether a number calls for help in a country: 112, 911, 144."""
    if not (digits.isdecimal() and digits.isascii() and len(digits) <= 6 and region):
        return False
    from phonenumbers import shortnumberinfo  # late: its tables are of no use to who does not dial

    return shortnumberinfo.is_emergency_number(digits, region)


def caller_id(user: User, target: DialTarget, keys: PbxKeys, wanted: str | None, free: bool) -> str | None:
    """Return the number to show; None leaves it to the dialplan. Raises `CommandRefused` for one that must not be.

    `wanted` is what was asked for; with `free` it may be any number of the PBX, otherwise one of the user's own.
    """
    if target.country is None:
        return None
    own = user.caller_ids
    found = wanted or own.get(target.country) or own.get(_ELSE)
    if found is None:
        return None
    allowed = may_show(keys.numbers, found) and (wanted is None or free or wanted in own.values())
    if target.emergency:
        # Whoever calls for help is put through; the dialplan's own number is better than none.
        return found if allowed else None
    if not allowed:
        raise CommandRefused(
            "caller_id_refused",
            f"the trunk may not show the caller ID {found}"
            if wanted is None or free
            else "this caller ID is not yours",
            "the administrator: 'numbers' of the PBX, 'caller_ids' of the user",
        )
    return found
