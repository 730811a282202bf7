"""The socket of a telephone and its SIP transactions: what is sent again, what is answered again (RFC 3261, 17)."""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from rig.sip_wire import Message, read_message, reply, write_message

Address = tuple[str, int]
OnMessage = Callable[[Message, Address], None]

T1_S = 0.5
T2_S = 4.0
GIVE_UP_S = 64 * T1_S
REMEMBERED = 5000
Value = TypeVar("Value")


def new_branch() -> str:
    """A branch for a new request's Via."""
    return f"z9hG4bK{random.getrandbits(64):016x}"


class Repeat:
    """A datagram that is sent again, at growing intervals, until `stop`; `on_end` is told when nobody ever cared."""

    def __init__(self, send: Callable[[], None], on_end: Callable[[], None], slowest_s: float = T2_S) -> None:
        self._send, self._on_end, self._slowest_s = send, on_end, slowest_s
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + GIVE_UP_S
        self._interval_s = T1_S
        self._timer = self._loop.call_later(T1_S, self._again)
        send()

    def _again(self) -> None:
        if self._loop.time() >= self._until:
            self._on_end()
            return
        self._send()
        self._interval_s = min(self._interval_s * 2, self._slowest_s)
        self._timer = self._loop.call_later(self._interval_s, self._again)

    def stop(self) -> None:
        """Send no more."""
        self._timer.cancel()


@dataclass
class Asked:
    """A request of ours under way."""

    request: Message
    address: Address
    tell: Callable[[Message], None]
    repeat: Repeat
    refused: bool = False


class Line(asyncio.DatagramProtocol):
    """One UDP port that speaks SIP."""

    def __init__(self, on_request: OnMessage) -> None:
        self._on_request = on_request
        self._asked: OrderedDict[tuple[str, str], Asked] = OrderedDict()
        self._answered: OrderedDict[tuple[str, str], tuple[bytes, Address]] = OrderedDict()
        self._transport: asyncio.DatagramTransport

    @classmethod
    async def open(cls, host: str, port: int, on_request: OnMessage) -> "Line":
        """A line on this address; port 0 takes a free one."""
        loop = asyncio.get_running_loop()
        _, line = await loop.create_datagram_endpoint(lambda: cls(on_request), local_addr=(host, port))
        return line

    @property
    def address(self) -> Address:
        """Our own address."""
        host, port = self._transport.get_extra_info("sockname")[:2]
        return str(host), int(port)

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        """Keep the socket."""
        self._transport = transport

    def error_received(self, exc: Exception) -> None:
        """Go on: a request that meets no one is sent again and ends by its own time limit."""

    def send(self, message: Message, address: Address) -> None:
        """Send once."""
        if not self._transport.is_closing():
            self._transport.sendto(write_message(message), address)

    def via(self) -> tuple[str, str]:
        """A Via header of ours with a new branch."""
        host, port = self.address
        return "Via", f"SIP/2.0/UDP {host}:{port};rport;branch={new_branch()}"

    def ask(self, request: Message, address: Address, tell: Callable[[Message], None]) -> None:
        """Send a request until it is answered; `tell` gets each response, and a 408 of ours if none ever comes."""
        key = (request.branch, request.method)
        repeat = Repeat(lambda: self.send(request, address), lambda: self._expired(key))
        self._asked[key] = Asked(request, address, tell, repeat)
        _forget_oldest(self._asked)

    def _expired(self, key: tuple[str, str]) -> None:
        asked = self._asked.pop(key)
        asked.tell(reply(asked.request, 408, "No answer", "none"))

    def repeat(self, message: Message, address: Address, on_end: Callable[[], None]) -> Repeat:
        """Send a message until told to stop: a final answer to an INVITE, until its ACK."""
        return Repeat(lambda: self.send(message, address), on_end)

    def answer(self, request: Message, response: Message, address: Address) -> None:
        """Send a response, and again whenever the request comes again."""
        self._answered[request.branch, request.method] = (write_message(response), address)
        _forget_oldest(self._answered)
        self.send(response, address)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Sort a datagram: response, repeated request, new request; what is no SIP is dropped."""
        message = read_message(data)
        if message is None:
            return
        if message.status:
            self._take_response(message)
        elif known := self._answered.get((message.branch, message.method)):
            self._transport.sendto(*known)
        else:
            self._on_request(message, addr)

    def _take_response(self, response: Message) -> None:
        asked = self._asked.get((response.branch, response.method))
        if asked is None:
            return
        if response.status >= 200 or response.method == "INVITE":
            asked.repeat.stop()
        refused_again = asked.refused
        if response.method == "INVITE" and response.status >= 300:
            asked.refused = True
            self.send(_ack_of_refusal(asked.request, response), asked.address)
        if not refused_again:
            asked.tell(response)

    def close(self) -> None:
        """Close the socket and stop all timers."""
        for asked in self._asked.values():
            asked.repeat.stop()
        self._transport.close()


def _ack_of_refusal(request: Message, response: Message) -> Message:
    """The ACK that ends a refused INVITE: same branch and URI, the other side's To (RFC 3261, 17.1.1.3)."""
    kept = ("via", "from", "call-id", "max-forwards", "route")
    headers = tuple((name, value) for name, value in request.headers if name.lower() in kept)
    more = (("To", response.header("to")), ("CSeq", f"{request.cseq} ACK"))
    return replace(request, method="ACK", headers=headers + more, body=b"")


def _forget_oldest(known: OrderedDict[tuple[str, str], Value]) -> None:
    while len(known) > REMEMBERED:
        known.popitem(last=False)
