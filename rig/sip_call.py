"""One call of a telephone, placed or received: its dialog, its sound, and how it ended."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from rig.conf import PATIENCE_S
from rig.ear import RATE, Segment, Wanted, save_wav
from rig.media import Stream
from rig.sip_line import Address, Line, Repeat
from rig.sip_wire import (
    Headers,
    Message,
    name_in,
    parameter,
    read_sdp,
    reply,
    uri_in,
    user_in,
    write_sdp,
)

Waited = TypeVar("Waited")


@dataclass(frozen=True)
class Ending:
    """How a call ended: by whom, the status when it was refused or given up, the Q.850 cause if one was told."""

    by: Literal["us", "them"]
    status: int | None = None
    cause: int | None = None

    @classmethod
    def told(cls, message: Message, status: int | None = None) -> "Ending":
        """The ending that a message of the other side means."""
        cause = next((parameter(value, "cause") for value in message.all("reason") if "Q.850" in value), "")
        return cls("them", status, int(cause) if cause.isdigit() else None)


class NotAnswered(Exception):
    """The call ended before it was answered; `ending` says how."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(f"the call was not answered: {ending}")
        self.ending = ending


class Call:
    """A call under way or over. `Phone.dial` and `Phone.next_call` give them."""

    def __init__(self, line: Line, stream: Stream, invite: Message, address: Address, incoming: bool) -> None:
        self._line, self._stream, self._address, self._incoming = line, stream, address, incoming
        self.invite = invite
        self._ours, self._theirs = invite.header("from"), invite.header("to")
        if incoming:
            self._ours, self._theirs = f"{self._theirs};tag={id(self):x}", self._ours
        self._target = uri_in(invite.header("contact")) if incoming else invite.uri
        self._sequence = 0 if incoming else invite.cseq
        self._final: Repeat | None = None
        self._ack: Message | None = None
        self._progress = 0
        self._giving_up = self._cancelled = False
        self._version = 1
        loop = self._loop = asyncio.get_running_loop()
        self.began_at = loop.time()
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self._rings: asyncio.Future[int] = loop.create_future()
        self._answers: asyncio.Future[None] = loop.create_future()
        self._ends: asyncio.Future[Ending] = loop.create_future()
        self._asked_for: asyncio.Queue[str] = asyncio.Queue()
        self._passed_on: asyncio.Future[int] = loop.create_future()

    @property
    def call_id(self) -> str:
        """The SIP Call-ID."""
        return self.invite.call_id

    @property
    def caller(self) -> str:
        """The number the call shows in From."""
        return user_in(self.invite.header("from"))

    @property
    def caller_name(self) -> str:
        """The name the call shows in From."""
        return name_in(self.invite.header("from"))

    @property
    def called(self) -> str:
        """The number dialled."""
        return user_in(self.invite.uri)

    def header(self, name: str) -> str:
        """Return a header of the INVITE; "" where it has none of this name."""
        return self.invite.header(name)

    async def asked_for(self, timeout_s: float = PATIENCE_S) -> str:
        """Return what a NOTIFY within the call asks the telephone for: `hold`, `talk`; or tells it: `refer`."""
        return await asyncio.wait_for(self._asked_for.get(), timeout_s)

    @property
    def ending(self) -> Ending | None:
        """How the call ended; None while it lasts."""
        return self._ends.result() if self._ends.done() else None

    # What is heard and said.

    @property
    def heard(self) -> list[Segment]:
        """What was heard so far: stretches of sound and silence since the call began."""
        return self._stream.ear.segments()

    @property
    def pauses(self) -> list[Segment]:
        """Every stretch without sound since the call began, to the packet; the last one ends now or with the call."""
        return self._stream.ear.pauses()

    def arrivals(self, hz: float) -> list[float]:
        """When each packet with this tone arrived, in seconds since the call began."""
        return self._stream.ear.arrivals(hz)

    @property
    def keys_heard(self) -> str:
        """Keys the other side sent."""
        return self._stream.keys_heard

    @property
    def samples_heard(self) -> int:
        """How many samples of sound arrived, at 8000 a second."""
        return self._stream.ear.received

    @property
    def sound_heard_s(self) -> float:
        """How long sound was heard in all."""
        return sum(heard.lasts_s for heard in self.heard if heard.sound)

    @property
    def longest_silence_s(self) -> float:
        """The longest stretch of silence between answer (or the first sound, if that was earlier) and now."""
        begin = next((heard.start_s for heard in self.heard if heard.sound), float("inf"))
        if self.answered_at is not None:
            begin = min(begin, self.answered_at - self.began_at)
        return max((heard.end_s - max(heard.start_s, begin) for heard in self.heard if heard.silent), default=0.0)

    async def hears(self, wanted: Wanted, timeout_s: float = PATIENCE_S) -> Segment:
        """The first stretch since the call began that is as wanted, waiting for it; see `sound` and `silence`."""
        try:
            return await self._stream.hears(wanted, timeout_s)
        except TimeoutError:
            raise TimeoutError(f"not heard within {timeout_s} s; heard was {self.heard}") from None
        except ConnectionError as error:
            raise ConnectionError(f"{error}; heard was {self.heard}") from None

    async def press(self, keys: str, tone_ms: int = 100, gap_ms: int = 80) -> None:
        """Type keys; returns when the last one and its gap are over."""
        await self._stream.press(keys, tone_ms, gap_ms)

    def speak(self, hz: float | None) -> None:
        """Send a steady tone from now on; None for silence."""
        self._stream.speak(hz)

    def save_wav(self, path: Path) -> None:
        """Write what was heard as a WAV file."""
        save_wav(path, self._stream.ear.samples)

    @property
    def seconds_received(self) -> float:
        """How many seconds of sound arrived as RTP, silence packets included."""
        return self.samples_heard / RATE

    # What is waited for.

    async def rings(self, timeout_s: float = PATIENCE_S) -> int:
        """The first provisional status above 100 (180, 183); waits for it."""
        return await self._wait(self._rings, timeout_s, "rung")

    async def answered(self, timeout_s: float = PATIENCE_S) -> None:
        """Wait for the answer.

        Raises:
            NotAnswered: when the call ends before that.
        """
        await self._wait(self._answers, timeout_s, "answered")

    async def ended(self, timeout_s: float = PATIENCE_S) -> Ending:
        """How the call ended; waits for it."""
        return await self._wait(self._ends, timeout_s, "ended")

    def when_ended(self, tell: Callable[[], object]) -> None:
        """Call `tell` once the call is over."""
        self._ends.add_done_callback(lambda _: tell())

    async def _wait(self, future: asyncio.Future[Waited], timeout_s: float, what: str) -> Waited:
        waited: set[asyncio.Future[Any]] = {future, self._ends}
        done, _ = await asyncio.wait(waited, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if future in done:
            return future.result()
        if self._ends in done:
            raise NotAnswered(self._ends.result())
        raise TimeoutError(f"the call was not {what} within {timeout_s} s")

    # The caller's side.

    def place(self) -> None:
        """Send the INVITE."""
        self._line.ask(self.invite, self._address, self._on_answer)

    def _on_answer(self, response: Message) -> None:
        if response.status < 200:
            self._on_progress(response)
        elif response.status < 300:
            self._on_accepted(response)
        else:
            self._end(Ending("us", response.status) if self._giving_up else Ending.told(response, response.status))

    def _on_progress(self, response: Message) -> None:
        self._progress = response.status
        if response.status > 100 and not self._rings.done():
            self._rings.set_result(response.status)
            self._theirs = response.header("to")
        self._take_media(response)
        if self._giving_up:
            self._cancel()

    def _on_accepted(self, response: Message) -> None:
        if self._ack is None:
            self._theirs, self._target = response.header("to"), uri_in(response.header("contact")) or self._target
            self._ack = self._in_dialog("ACK", self.invite.cseq)
        # An answer that comes again means that our ACK was lost.
        self._line.send(self._ack, self._address)
        self._take_media(response)
        self._on_up()
        if self._giving_up and not self._ends.done():
            self._say_bye()

    def _on_up(self) -> None:
        if not self._answers.done():
            self.answered_at = self._loop.time()
            self._answers.set_result(None)

    def _take_media(self, message: Message) -> None:
        place = read_sdp(message.body) if message.body else None
        if place and not self._ends.done():
            self._stream.send_to(place)

    def _in_dialog(self, method: str, sequence: int, more: Headers = ()) -> Message:
        parties = (("From", self._ours), ("To", self._theirs), ("Call-ID", self.call_id))
        rest = (("CSeq", f"{sequence} {method}"), ("Max-Forwards", "70"))
        return Message(method, (self._line.via(), *parties, *rest, *more), uri=self._target)

    async def hang_up(self, timeout_s: float = PATIENCE_S) -> Ending:
        """End the call from our side, whatever its state; returns once the other side has confirmed."""
        if self._incoming and not self._answers.done():
            self.refuse(603)
        elif self._answers.done() and not self._ends.done():
            self._say_bye()
        elif not self._ends.done() and not self._giving_up:
            self._giving_up = True
            self._cancel()
        await asyncio.wait([self._ends], timeout=timeout_s)
        return self._end(Ending("us", 408))

    def _say_bye(self) -> None:
        bye = self._next("BYE", (("Reason", "Q.850;cause=16"),))
        self._line.ask(bye, self._address, self._on_bye_answer)

    def _on_bye_answer(self, response: Message) -> None:
        if response.status >= 200:
            self._end(Ending("us", None if response.status < 300 else response.status))

    def _cancel(self) -> None:
        # A CANCEL may go out only after a provisional response (RFC 3261, 9.1), and goes out once.
        if not self._progress or self._cancelled:
            return
        self._cancelled = True
        kept = tuple(pair for pair in self.invite.headers if pair[0].lower() in ("via", "from", "to", "call-id"))
        more = (("CSeq", f"{self.invite.cseq} CANCEL"), ("Max-Forwards", "70"))
        cancel = replace(self.invite, method="CANCEL", headers=kept + more, body=b"")
        self._line.ask(cancel, self._address, lambda _: None)

    def _end(self, ending: Ending) -> Ending:
        if not self._ends.done():
            self.ended_at = self._loop.time()
            self._ends.set_result(ending)
            self._stream.close()
            if self._final:
                self._final.stop()
        return self._ends.result()

    # What is asked while people talk; `sip_features` has the requests.

    @property
    def dialog(self) -> tuple[str, str, str]:
        """The names of the dialog as the other side knows it: Call-ID, its own tag, our tag."""
        return self.call_id, parameter(self._theirs, "tag"), parameter(self._ours, "tag")

    @property
    def address(self) -> Address:
        """Where the other side's SIP is."""
        return self._address

    def offer(self, way: str) -> Message:
        """Return an INVITE that changes the sound: `sendonly` puts the other side on hold, `sendrecv` takes it back."""
        self._version += 1
        host, port = self._line.address
        more = (("Contact", f"<sip:rig@{host}:{port}>"), ("Content-Type", "application/sdp"))
        body = write_sdp(host, self._stream.port, version=self._version, way=way)
        return replace(self._next("INVITE", more), body=body)

    def ask_to_call(self, target: str) -> Message:
        """Return a REFER: the other side is to call this URI in our place (RFC 3515)."""
        host, port = self._line.address
        return self._next("REFER", (("Contact", f"<sip:rig@{host}:{port}>"), ("Refer-To", f"<{target}>")))

    async def passed_on(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait until the other side has called in our place, and return the status with which it was answered."""
        return await self._wait(self._passed_on, timeout_s, "passed on")

    def _next(self, method: str, more: Headers = ()) -> Message:
        self._sequence += 1
        return self._in_dialog(method, self._sequence, more)

    async def ask(self, request: Message, timeout_s: float = PATIENCE_S) -> int:
        """Send a request within the call, and return the final status of its answer."""
        final: asyncio.Future[int] = self._loop.create_future()

        def take(response: Message) -> None:
            # Every final answer to an INVITE wants its ACK, a repeated one too; for a refusal the line sends it.
            if request.method == "INVITE" and 200 <= response.status < 300:
                self._line.send(self._in_dialog("ACK", request.cseq), self._address)
            if response.status >= 200 and not final.done():
                final.set_result(response.status)

        self._line.ask(request, self._address, take)
        return await asyncio.wait_for(final, timeout_s)

    # The callee's side.

    def ring(self, status: int = 180) -> None:
        """Tell the caller that it rings."""
        if not self._ends.done() and not self._answers.done():
            self._line.answer(self.invite, self._reply(self.invite, status), self._address)

    def answer(self) -> None:
        """Pick up."""
        if self._ends.done() or self._answers.done():
            return
        self._take_media(self.invite)
        self._final_answer(self.invite, self._reply_with_media(self.invite), self._address)
        self._on_up()

    def refuse(self, status: int = 486, more: Headers = ()) -> None:
        """Refuse a call that was not answered: 486 busy, 480 not there, 603 declined, 302 moved to a Contact."""
        if not self._ends.done() and not self._answers.done():
            self._final_answer(self.invite, self._reply(self.invite, status, more), self._address)
            self._end(Ending("us", status))

    def _final_answer(self, request: Message, response: Message, address: Address) -> None:
        """Answer an INVITE for good: the answer goes out again until its ACK comes."""
        if self._final:
            self._final.stop()
        self._line.answer(request, response, address)
        self._final = self._line.repeat(response, address, lambda: None)

    def _reply(self, request: Message, status: int, more: Headers = (), body: bytes = b"") -> Message:
        reasons = {180: "Ringing", 183: "Session Progress", 200: "OK", 486: "Busy Here", 487: "Request Terminated"}
        return reply(request, status, reasons.get(status, "Refused"), parameter(self._ours, "tag"), more, body)

    def _reply_with_media(self, request: Message) -> Message:
        host, port = self._line.address
        offer = read_sdp(request.body)
        digits = offer.digits if offer and offer.digits is not None else 101
        more = (("Contact", f"<sip:rig@{host}:{port}>"), ("Content-Type", "application/sdp"))
        return self._reply(request, 200, more, write_sdp(host, self._stream.port, digits))

    def on_request(self, request: Message, address: Address) -> None:
        """Take a request of the other side within this call."""
        handlers: dict[str, Callable[[Message, Address], None]] = {
            "ACK": self._on_ack, "BYE": self._on_bye, "CANCEL": self._on_cancel, "INVITE": self._on_change,
            "NOTIFY": self._on_news,
        }  # fmt: skip
        handlers.get(request.method, self._on_other)(request, address)

    def _on_ack(self, _request: Message, _address: Address) -> None:
        if self._final:
            self._final.stop()

    def _on_bye(self, request: Message, address: Address) -> None:
        self._line.answer(request, self._reply(request, 200), address)
        self._end(Ending.told(request))

    def _on_cancel(self, request: Message, address: Address) -> None:
        self._line.answer(request, self._reply(request, 200), address)
        if not self._answers.done() and not self._ends.done():
            self._final_answer(self.invite, self._reply(self.invite, 487), self._address)
            self._end(Ending.told(request, 487))

    def _on_change(self, request: Message, address: Address) -> None:
        self._take_media(request)
        self._final_answer(request, self._reply_with_media(request), address)

    def _on_news(self, request: Message, address: Address) -> None:
        """Take what became of our REFER: the body is the first line of an answer (RFC 3420)."""
        self._on_other(request, address)
        self._asked_for.put_nowait(request.header("event"))
        status = request.body.decode().split()[1:2]
        if status and status[0] >= "200" and not self._passed_on.done():
            self._passed_on.set_result(int(status[0]))

    def _on_other(self, request: Message, address: Address) -> None:
        self._line.answer(request, self._reply(request, 200), address)
