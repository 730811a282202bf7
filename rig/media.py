"""The sound of a call: RTP both ways (RFC 3550) and keys as telephone-events (RFC 4733), on one clock for all calls."""

import asyncio
import contextlib
import random
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from rig.ear import RATE, Ear, Segment, Wanted, tone
from rig.sip_wire import MediaPlace

TICK_S = 0.02
STEP = int(RATE * TICK_S)
SILENCE = b"\xff" * STEP
KEYS = "0123456789*#ABCD"
DIGITS = 101
EVENT_VOLUME = 10
#: The kernel notes when a packet came (linux/socket.h; Python knows no name for it): we may be late to read it.
_NOTED = 35
_MOMENT = struct.Struct("@qq")


@dataclass(frozen=True)
class Packet:
    """What one RTP packet carries, its sequence number left to the stream."""

    payload_type: int
    payload: bytes
    marker: bool = False


class Pacer:
    """The one 20 ms clock of a telephone: it makes every open stream send, all calls by one task."""

    def __init__(self) -> None:
        self.streams: set[Stream] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the clock."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop the clock."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            # A late tick is made good at once, so that the RTP clock keeps up with the wall.
            for stream in tuple(self.streams):
                stream.tick()
            due += TICK_S
            await asyncio.sleep(max(0.0, due - loop.time()))


class Stream:
    """The media of one call, on a free port of `host`: sends silence or a tone without a gap, types keys, listens."""

    def __init__(self, pacer: Pacer, host: str) -> None:
        self._loop = asyncio.get_running_loop()
        self.ear = Ear(self._loop.time)
        self.keys_heard = ""
        self._pacer = pacer
        self._to: MediaPlace | None = None
        self._sound = deque([SILENCE])
        self._typing: deque[tuple[Iterator[list[Packet]], asyncio.Future[None]]] = deque()
        self._waiting: list[tuple[Wanted, asyncio.Future[Segment]]] = []
        self._source, self._sequence = random.getrandbits(32), random.getrandbits(15)
        self._clock = self._event_clock = random.getrandbits(31)
        self._ticks = 0
        self._came = deque[tuple[tuple[str, int], bytes, float]]()
        self._last_key_at = -1
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, _NOTED, 1)
        self._socket.bind((host, 0))
        self.port = int(self._socket.getsockname()[1])
        self._loop.add_reader(self._socket, self._read)

    def send_to(self, place: MediaPlace) -> None:
        """Send to this address from the next tick on, and hear what comes from there, or has come."""
        self._to = place
        self._pacer.streams.add(self)
        self._hear_all()

    def speak(self, hz: float | None) -> None:
        """Send a steady tone from now on; None for silence."""
        codes = tone(hz) if hz else SILENCE
        self._sound = deque(codes[at : at + STEP] for at in range(0, len(codes), STEP))

    async def press(self, keys: str, tone_ms: int, gap_ms: int) -> None:
        """Type keys one after the other; returns when the last gap is over."""
        if unknown := set(keys.upper()) - set(KEYS):
            raise ValueError(f"no keys of a telephone: {sorted(unknown)}")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._typing.append((self._type(keys.upper(), tone_ms, gap_ms), done))
        await done

    def _type(self, keys: str, tone_ms: int, gap_ms: int) -> Iterator[list[Packet]]:
        """What to send at each tick while typing; an event's packets all carry the timestamp of its first."""
        for key in keys:
            steps = max(1, round(tone_ms / 1000 / TICK_S))
            for step in range(1, steps + 1):
                yield [self._event(key, step, step == 1, ending=False)]
            # The end goes out three times, since any one packet may be lost (RFC 4733, 2.5.1.4).
            yield [self._event(key, steps, marker=False, ending=True)] * 3
            for _ in range(max(1, round(gap_ms / 1000 / TICK_S)) - 1):
                yield [Packet(0, self._next_sound())]

    def _event(self, key: str, steps: int, marker: bool, ending: bool) -> Packet:
        payload = struct.pack("!BBH", KEYS.index(key), EVENT_VOLUME | (0x80 if ending else 0), min(steps * STEP, 65535))
        return Packet(self._digits_type, payload, marker)

    @property
    def _digits_type(self) -> int:
        return self._to.digits if self._to and self._to.digits is not None else DIGITS

    def _next_sound(self) -> bytes:
        self._sound.rotate(-1)
        return self._sound[-1]

    def tick(self) -> None:
        """Send what is due now, and tell those who wait for a sound."""
        self._ticks += 1
        self._clock = (self._clock + STEP) % 2**32
        for packet in self._due():
            self._send(packet)
        if self._waiting and self._ticks % 5 == 0:
            self._tell()

    def _due(self) -> list[Packet]:
        while self._typing:
            typing, done = self._typing[0]
            if packets := next(typing, None):
                return packets
            self._typing.popleft()
            if not done.done():
                done.set_result(None)
        return [Packet(0, self._next_sound())]

    def _send(self, packet: Packet) -> None:
        if packet.marker:
            self._event_clock = self._clock
        clock = self._clock if packet.payload_type == 0 else self._event_clock
        self._sequence = (self._sequence + 1) % 65536
        kind = packet.payload_type | (0x80 if packet.marker else 0)
        head = struct.pack("!BBHII", 0x80, kind, self._sequence, clock, self._source)
        with contextlib.suppress(OSError):  # the other side's port may be closed already
            if self._to:
                self._socket.sendto(head + packet.payload, (self._to.host, self._to.port))

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # nothing more is there
            while True:
                data, notes, _, sender = self._socket.recvmsg(2048, 64)
                seconds, rest = _MOMENT.unpack(notes[0][2])
                self._came.append((sender, data, self._loop.time() - max(0.0, time.time() - seconds - rest / 1e9)))
        self._hear_all()

    def _hear_all(self) -> None:
        """Hear what has come from the other side. Others may still send to one that had this port before."""
        while self._to and self._came:
            sender, data, at = self._came.popleft()
            if sender == (self._to.host, self._to.port):
                self._hear(data, at)

    def _hear(self, data: bytes, at: float) -> None:
        """Hear a packet that came `at` this time: sound into the ear, telephone-events into `keys_heard`."""
        if len(data) < 12 or data[0] >> 6 != 2:
            return
        kind, _, timestamp, source = struct.unpack("!BHII", data[1:12])
        body = data[12 + 4 * (data[0] & 0x0F) :]
        if kind & 0x7F == 0:
            self.ear.take(source, timestamp, body, at)
        elif kind & 0x7F == self._digits_type and len(body) >= 4 and body[1] & 0x80:
            self._hear_key(body[0], timestamp)

    def _hear_key(self, event: int, timestamp: int) -> None:
        if timestamp != self._last_key_at and event < len(KEYS):
            self.keys_heard += KEYS[event]
        self._last_key_at = timestamp

    async def hears(self, wanted: Wanted, timeout_s: float) -> Segment:
        """The first stretch, of all heard since the media started, that is as wanted."""
        if found := self._find(wanted):
            return found
        future: asyncio.Future[Segment] = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, future))
        try:
            return await asyncio.wait_for(future, timeout_s)
        finally:
            self._waiting.remove((wanted, future))

    def _find(self, wanted: Wanted) -> Segment | None:
        return next((heard for heard in self.ear.segments() if wanted(heard)), None)

    def _tell(self) -> None:
        segments = self.ear.segments()
        for wanted, future in self._waiting:
            found = next((heard for heard in segments if wanted(heard)), None)
            if found and not future.done():
                future.set_result(found)

    def close(self) -> None:
        """Stop sending and listening; keys not typed yet are given up."""
        self.ear.stop()
        self._pacer.streams.discard(self)
        for _, done in self._typing:
            if not done.done():
                done.set_exception(ConnectionError("the call ended before all keys were typed"))
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(ConnectionError("the call ended before that was heard"))
        self._loop.remove_reader(self._socket)
        self._socket.close()
