"""Dialling over HTTP, and what is done with calls under way: a person with the own phones, a program with anybody's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar, get_args

from routing_engine.calls.call import Call
from routing_engine.dialling.control import TransferHow
from routing_engine.dialling.dialler import DialWish
from routing_engine.dialling.wish import LONGEST
from routing_engine.errors import CommandRefused, PbxDown
from routing_engine.web.endpoints import CALL, FLAG, Endpoint, Gives, Parameter, or_null, takes, text, words
from routing_engine.web.requests import Actor, ApiAnswer, ApiError, ApiRequest, bad_value
from routing_engine.web.rights import need_call, shown

Done = TypeVar("Done")
#: What is refused is a conflict with how things are now, but for these.
_STATUS = {"unknown_user": 404, "unknown_credentials": 404, "bad_number": 400, "key_used": 422}
_LONGEST_KEY = 200
_WISH = takes(
    {
        "user": text(64, 1),
        "to": text(LONGEST, 1),
        "phone": or_null(text(200)),
        "caller_id": or_null(text(20)),
    },
    needed=("to",),
)
_TRANSFER = takes({"to": or_null(text(LONGEST)), "how": words(*get_args(TransferHow))}, needed=("how",))
_MUTE = takes({"muted": FLAG})
_KEY = Parameter("Idempotency-Key", "the same key gives the same call: send a request again that broke", where="header")
_DIAL = (
    "Dial: the user's phone rings first, then the number is called. A second click while one is under way is the same."
)
_HANGUP = "End a call: a person the own part of it, a program all of it. A phone that only rings refuses the call."
_TRANSFERRED = "Pass a call on, blind, or attended: then hang up to connect both, or `cancel` to go back."
_HOLD = "Let the phone hold the call. A desk phone must know how."
_RESUME = "Let the phone take the call back from hold."
_QUIET = "Pause the recording, or go on with `muted` false. What is said meanwhile is silence."
_REFUSED = (404, 409, 503, 504)
_AS_IT_IS = (Gives("the call as it is by now", CALL),)


class Dials(Protocol):
    """Who dials."""

    async def dial(self, wish: DialWish) -> Call:
        """Let the user's phone ring; return the call."""


class Controls(Protocol):
    """Who does something with calls under way."""

    async def hang_up(self, call: Call, user: str | None) -> None:
        """End a call."""

    async def transfer(self, call: Call, user: str | None, to: str, how: TransferHow) -> None:
        """Pass a call on."""

    async def hold(self, call: Call, user: str | None) -> None:
        """Hold a call."""

    async def resume(self, call: Call, user: str | None) -> None:
        """Take a call back."""

    async def mute_recording(self, call: Call, user: str | None, muted: bool) -> None:
        """Pause the recording of a call, or go on with it."""


class ReadsCalls(Protocol):
    """The book of calls, as far as this needs it."""

    async def call(self, call_id: str) -> Call | None:
        """Return a call, or the one that it has become a part of."""


class DialApi:
    """`POST /v1/calls`, and what is done with a call."""

    def __init__(self, dialler: Dials, control: Controls, book: ReadsCalls) -> None:
        self._dialler, self._control, self._book = dialler, control, book

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
        one = "/v1/calls/{id}"
        ringing = (Gives("the phone rings; the call as it is by now", CALL, 202),)
        return (
            Endpoint("POST", "/v1/calls", "dial", self._dial, _DIAL, (_KEY,), _WISH, ringing, (*_REFUSED, 422)),
            _row(f"{one}/hangup", self._hang_up, _HANGUP),
            Endpoint(
                "POST", f"{one}/transfer", "dial", self._transfer, _TRANSFERRED, (), _TRANSFER, _AS_IT_IS, _REFUSED
            ),
            _row(f"{one}/hold", self._hold, _HOLD),
            _row(f"{one}/resume", self._resume, _RESUME),
            Endpoint("POST", f"{one}/mute_recording", "dial", self._mute, _QUIET, (), _MUTE, _AS_IT_IS, _REFUSED),
        )

    async def _dial(self, request: ApiRequest) -> ApiAnswer:
        actor = request.actor
        key = request.headers.get("Idempotency-Key", "").strip()
        if len(key) > _LONGEST_KEY:
            raise bad_value("Idempotency-Key", f"is longer than {_LONGEST_KEY} characters", "shorten it")
        wish = DialWish(
            user=for_whom(actor, request.text("user")),
            to=request.needed("to", LONGEST),
            phone=request.text("phone"),
            caller_id=request.text("caller_id"),
            by=actor.name,
            free=actor.user is None,
            key=key,
        )
        call = await answered(self._dialler.dial(wish))
        return ApiAnswer(shown(actor, call), 202, {"Location": f"/v1/calls/{call.id}"})

    async def _hang_up(self, request: ApiRequest) -> ApiAnswer:
        return await self._done(request, lambda call: self._control.hang_up(call, _person(request.actor, call)))

    async def _transfer(self, request: ApiRequest) -> ApiAnswer:
        how = next((one for one in get_args(TransferHow) if one == request.needed("how")), None)
        if how is None:
            raise bad_value("how", "is not known", f"write {' or '.join(get_args(TransferHow))}")
        to = "" if how == "cancel" else request.needed("to", LONGEST)
        return await self._done(
            request, lambda call: self._control.transfer(call, _person(request.actor, call), to, how)
        )

    async def _hold(self, request: ApiRequest) -> ApiAnswer:
        return await self._done(request, lambda call: self._control.hold(call, _person(request.actor, call)))

    async def _resume(self, request: ApiRequest) -> ApiAnswer:
        return await self._done(request, lambda call: self._control.resume(call, _person(request.actor, call)))

    async def _mute(self, request: ApiRequest) -> ApiAnswer:
        muted = request.body.get("muted", True)
        if not isinstance(muted, bool):
            raise bad_value("muted", "is neither true nor false", "write true or false")
        return await self._done(
            request, lambda call: self._control.mute_recording(call, _person(request.actor, call), muted)
        )

    async def _done(self, request: ApiRequest, work: Callable[[Call], Awaitable[None]]) -> ApiAnswer:
        """Do something with a call that may be seen, and answer with the call."""
        asked = request.path["id"]
        call = need_call(request.actor, await self._book.call(asked), asked)
        await answered(work(call))
        return ApiAnswer(shown(request.actor, await self._book.call(call.id) or call))


def _row(path: str, answer: Callable[[ApiRequest], Awaitable[ApiAnswer]], summary: str) -> Endpoint:
    return Endpoint("POST", path, "dial", answer, summary, gives=_AS_IT_IS, refuses=_REFUSED)


def _person(actor: Actor, call: Call) -> str | None:
    """Return the person whose part of a call is meant; None for a program, and for who sees calls of others."""
    if actor.user is None:
        return None
    key = actor.user.key
    takes_part = call.user == key or any(leg.user == key for leg in call.legs)
    return key if takes_part or not actor.sees_all else None


def for_whom(actor: Actor, user: str | None) -> str:
    """Return the user that something is done for: a program says whom, a person is oneself. Raises `ApiError`."""
    if actor.user is None:
        if not user:
            raise bad_value("user", "is missing", "add user: a key of users.yaml")
        return user
    # Another one's phone that rings by itself is a prank at best, and the call would be in the other one's name.
    if user not in (None, "", actor.user.key):
        raise ApiError(403, "no_right", "this is done for oneself only", "leave 'user' out")
    return actor.user.key


async def answered(work: Awaitable[Done]) -> Done:
    """Return what some work gives, and what it refuses as errors of the API. Raises `ApiError`."""
    try:
        return await work
    except CommandRefused as error:
        raise ApiError(
            _STATUS.get(error.code, 409), error.code, error.message, error.remedy or "nothing is to be done"
        ) from None
    except PbxDown as error:
        raise ApiError(503, "pbx_down", str(error), "try again in some seconds", {"Retry-After": "5"}) from None
