"""Who calls and when, by the same rules however a call reaches us: from Asterisk, a dry run or an example."""

from __future__ import annotations

from datetime import datetime, time, tzinfo

from routing_engine.core.model import Caller
from routing_engine.core.phone import HIDDEN_WORDS, WITHHELD_WORDS, Plus, is_placeholder, read_number, user_part

#: The language of a channel that nobody has told another one: Asterisk's own default.
USUAL_LANGUAGE = "en"


def arrived(
    number: str,
    at: datetime,
    region: str,
    name: str = "",
    called: str = "",
    language: str = USUAL_LANGUAGE,
    call_id: str = "",
    withheld: bool = False,
    plus: Plus = "",
) -> Caller:
    """Return the caller of a call as it arrives.

    `number`, `name` and `called` are texts as the telephone sends them; `withheld` says that the signalling forbids
    their use, as the words of `WITHHELD_WORDS` and placeholders do instead of a number. `at` is the moment at the site.
    `plus` is how the carrier writes international numbers.
    """
    user, dialled = user_part(number), user_part(called)
    word, withheld = user.lower(), withheld or is_placeholder(user)
    read = None if withheld else read_number(user, region, plus)
    # Who withholds the number withholds the name too. A number that is only not known, as that of a door, hides nobody.
    nameless = withheld or word in WITHHELD_WORDS or name.lower() in HIDDEN_WORDS
    # Telephone systems lend a number as a name where there is none.
    lent = read is not None and name.strip() in (user, read.received, read.e164)
    line = read_number(dialled, region, plus)
    return Caller(
        number=read,
        called=dialled,
        name="" if nameless or lent else name,
        language=language,
        at=at,
        call_id=call_id,
        hidden=withheld or word in HIDDEN_WORDS,
        called_line=line.line if line is not None and line.e164.startswith("+") else "",
        unread="" if withheld or read is not None or word in HIDDEN_WORDS else user,
    )


def read_moment(text: str) -> datetime:
    """Return the moment that a text in ISO 8601 is. Raises `ValueError` for another text, and far from our time."""
    moment = datetime.fromisoformat(text)
    if not 1971 <= moment.year <= 2999:  # no time zone can move such a moment beyond what a datetime holds
        raise ValueError(f"the year {moment.year} is too far away")
    return moment


def read_when(text: str) -> datetime | time:
    """Return the moment, or the time of day, that a text says. Raises `ValueError`."""
    # A time of day stays one here: which day is today, only the site's zone can say.
    return time.fromisoformat(text) if len(text) <= 8 else read_moment(text)


def at_site(moment: datetime, zone: tzinfo | None) -> datetime:
    """Return a moment as the clock of the site shows it; without a zone it is the site's time already.

    `zone` None is the zone of the system.
    """
    if moment.tzinfo is None:
        return moment.replace(tzinfo=zone) if zone is not None else moment.astimezone()
    return moment.astimezone(zone)
