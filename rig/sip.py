"""A telephone: a SIP user agent that places and takes calls, types keys and tells what it hears.

async with Phone.open() as phone:
    call = await phone.dial(("127.0.0.1", 5060), "support", caller="+436641234567", name="Anna")
    await call.answered()
    await call.press("123456#")
    await call.hears(sound(hz=440))
    await call.hang_up()
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import quote

from rig.conf import PATIENCE_S
from rig.ear import Segment, silence, sound
from rig.media import Pacer, Stream
from rig.sip_call import Call, Ending, NotAnswered
from rig.sip_line import Address, Line
from rig.sip_wire import Headers, Message, answer_challenge, parameter, party, reply, write_sdp

__all__ = ["Answering", "Call", "Ending", "NotAnswered", "Phone", "Segment", "silence", "sound"]

#: Name and password of a telephone.
LogIn = tuple[str, str]
METHODS = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, NOTIFY, UPDATE"


@dataclass(frozen=True)
class Answering:
    """How a telephone treats a call: rings `ring_s`, then sends `status` (200 picks up); None rings for ever."""

    ring_s: float = 0.0
    status: int | None = 200
    speaks_hz: float | None = None
    hangs_up_after_s: float | None = None


class Phone:
    """A telephone on one UDP port, for any number of calls at once. `Phone.open` gives one."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._pacer = Pacer()
        self._line: Line
        self._calls: dict[str, Call] = {}
        self._came: asyncio.Queue[Call] = asyncio.Queue()
        self._jobs: set[asyncio.Task[None]] = set()
        self._answering = Answering()
        self._closing = False

    @classmethod
    @asynccontextmanager
    async def open(cls, local_host: str = "127.0.0.1", local_port: int = 0) -> AsyncIterator["Phone"]:
        """A telephone at this address; at the end it hangs up all its calls."""
        phone = cls(local_host)
        phone._line = await Line.open(local_host, local_port, phone._on_request)
        phone._pacer.start()
        try:
            yield phone
        finally:
            await phone._close()

    async def _close(self) -> None:
        self._closing = True
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*(call.hang_up(timeout_s=1.0) for call in self._calls.values()), return_exceptions=True)
        await asyncio.gather(*self._jobs, return_exceptions=True)
        await self._pacer.stop()
        self._line.close()

    @property
    def address(self) -> Address:
        """Where this telephone is reached by SIP."""
        return self._line.address

    @property
    def calls(self) -> list[Call]:
        """The calls under way."""
        return list(self._calls.values())

    # Calls placed.

    async def dial(
        self,
        server: Address,
        number: str,
        *,
        caller: str = "",
        name: str = "",
        withheld: bool = False,
        diversion: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Call:
        """A call placed at `server`; it may not ring yet.

        `caller` "" is an anonymous From with no number anywhere. With `withheld`, From is anonymous too, and the
        number stands in P-Asserted-Identity under Privacy: id, as a provider hands it to us. `diversion` is the number
        the call was forwarded from.
        """
        stream = Stream(self._pacer, self._host)
        place = f"{server[0]}:{server[1]}"
        origin = _origin(caller, name, withheld, place)
        more = (*_marks(caller, withheld, diversion, place), *(headers or {}).items())
        uri = f"sip:{quote(number, safe='+*-_.!~')}@{place}"
        offer = write_sdp(self._host, stream.port)
        invite = self._request("INVITE", uri, origin, (*more, ("Content-Type", "application/sdp")), offer)
        call = Call(self._line, stream, invite, server, incoming=False)
        self._keep(call)
        call.place()
        return call

    def _request(self, method: str, uri: str, origin: str, more: Headers, body: bytes = b"") -> Message:
        host, port = self.address
        headers = (
            self._line.via(),
            ("Max-Forwards", "70"),
            ("From", origin),
            ("To", f"<{uri}>"),
            ("Call-ID", f"{random.getrandbits(96):024x}@{host}"),
            ("CSeq", f"1 {method}"),
            ("Contact", f"<sip:rig@{host}:{port}>"),
            ("Allow", METHODS),
            ("User-Agent", "routing-engine rig"),
        )
        return Message(method, headers + more, body, uri=uri)

    def _keep(self, call: Call) -> None:
        self._calls[call.call_id] = call
        call.when_ended(lambda: self._calls.pop(call.call_id, None))

    async def register(
        self, server: Address, user: str, timeout_s: float = PATIENCE_S, log_in: LogIn | None = None
    ) -> None:
        """Tell the server that calls for `user` come to this telephone; `log_in` is sent where the server asks for it.

        Raises:
            ConnectionError: when the server refuses or does not answer.
        """
        place = f"{server[0]}:{server[1]}"
        origin = party("", f"sip:{user}@{place}", f"{random.getrandbits(32):x}")
        request = self._request("REGISTER", f"sip:{place}", origin, (("Expires", "3600"),))
        mine = {"To": f"<sip:{user}@{place}>", "Contact": f"<sip:{user}@{self.address[0]}:{self.address[1]}>"}
        request = replace(request, headers=tuple((key, mine.get(key, value)) for key, value in request.headers))
        response = await self._answered(request, server, timeout_s)
        if response.status == 401 and log_in is not None:
            response = await self._answered(self._logged_in(request, response, log_in), server, timeout_s)
        if response.status >= 300:
            raise ConnectionError(f"the server refused to register {user}: {response.status} {response.reason}")

    async def _answered(self, request: Message, server: Address, timeout_s: float) -> Message:
        final: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._line.ask(request, server, lambda response: _settle(final, response))
        return await asyncio.wait_for(final, timeout_s)

    def _logged_in(self, request: Message, asked: Message, log_in: LogIn) -> Message:
        """Return a request once more, with the proof that a challenge asks for."""
        again = {"via": self._line.via()[1], "cseq": f"2 {request.method}"}
        headers = tuple((name, again.get(name.lower(), value)) for name, value in request.headers)
        proof = answer_challenge(asked.header("www-authenticate"), request.method, request.uri, *log_in)
        return replace(request, headers=(*headers, ("Authorization", proof)))

    # Calls taken.

    def answer_with(
        self,
        ring_s: float = 0.0,
        *,
        status: int | None = 200,
        speaks_hz: float | None = None,
        hangs_up_after_s: float | None = None,
    ) -> None:
        """From now on treat calls like this: ring, then pick up (200), refuse (486, 480, ...), or only ring (None)."""
        self._answering = Answering(ring_s, status, speaks_hz, hangs_up_after_s)

    async def next_call(self, timeout_s: float = PATIENCE_S) -> Call:
        """The next call that comes in, or came in and was not taken by this yet."""
        return await asyncio.wait_for(self._came.get(), timeout_s)

    def _on_request(self, request: Message, address: Address) -> None:
        call = self._calls.get(request.call_id)
        if call and (parameter(request.header("to"), "tag") or request.method == "CANCEL"):
            call.on_request(request, address)
        elif request.method == "INVITE" and not parameter(request.header("to"), "tag") and not self._closing:
            self._start(self._take(request, address))
        elif request.method != "ACK":
            self._line.answer(request, _outside(request), address)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        job = asyncio.get_running_loop().create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _take(self, invite: Message, address: Address) -> None:
        if invite.call_id in self._calls:
            return
        stream = Stream(self._pacer, self._host)
        call = Call(self._line, stream, invite, address, incoming=True)
        self._keep(call)
        self._came.put_nowait(call)
        await self._treat(call, self._answering)

    async def _treat(self, call: Call, answering: Answering) -> None:
        if answering.ring_s or answering.status is None:
            call.ring()
        if answering.status is None or not await _lasts(call, answering.ring_s):
            return
        if answering.status >= 300:
            call.refuse(answering.status)
            return
        call.answer()
        call.speak(answering.speaks_hz)
        if answering.hangs_up_after_s is not None and await _lasts(call, answering.hangs_up_after_s):
            await call.hang_up()


async def _lasts(call: Call, seconds: float) -> bool:
    """Whether the call is still there after this time."""
    with contextlib.suppress(TimeoutError):
        await call.ended(seconds)
    return call.ending is None


def _settle(final: "asyncio.Future[Message]", response: Message) -> None:
    if response.status >= 200 and not final.done():
        final.set_result(response)


def _origin(caller: str, name: str, withheld: bool, place: str) -> str:
    tag = f"{random.getrandbits(48):012x}"
    if withheld or not caller:
        return party("Anonymous", "sip:anonymous@anonymous.invalid", tag)
    return party(name, f"sip:{quote(caller, safe='+*-_.!~')}@{place}", tag)


def _marks(caller: str, withheld: bool, diversion: str, place: str) -> Headers:
    marks: Headers = ()
    if withheld and caller:
        marks += (("P-Asserted-Identity", f"<sip:{caller}@{place}>"), ("Privacy", "id"))
    if diversion:
        marks += (("Diversion", f"<sip:{diversion}@{place}>;reason=unconditional"),)
    return marks


def _outside(request: Message) -> Message:
    """The answer to a request that belongs to no call."""
    allow = (("Allow", METHODS),)
    if request.method == "OPTIONS":
        return reply(request, 200, "OK", "rig", allow)
    if request.method in METHODS.split(", "):
        return reply(request, 481, "Call Does Not Exist", "rig")
    return reply(request, 405, "Method Not Allowed", "rig", allow)
