"""A manager connection of which every byte is kept: what a recorded event stream is made of."""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Mapping

from rig.conf import MANAGER_USER, PATIENCE_S
from routing_engine.asterisk.ami_wire import AmiMessage, AmiWire, write_action
from routing_engine.pbx.ami_events import CLASSES

#: What the engine listens to, and the call detail records, to compare.
HEARD = f"{CLASSES},cdr"


class Tape:
    """The bytes that Asterisk sent, over one connection or several, and the messages in them.

    Each connection begins with its banner, `Asterisk Call Manager/...`, which begins no other line.
    """

    def __init__(self, address: tuple[str, int], secret: str, classes: str = HEARD) -> None:
        self._address, self._secret, self._classes = address, secret, classes
        self.raw = bytearray()
        #: When each connection was made, in seconds since 1970.
        self.began: list[float] = []
        self.messages: list[AmiMessage] = []
        self._came = asyncio.Condition()
        self._numbers = 0
        self._reading: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter

    async def start(self) -> None:
        """Connect and log in; once more after `stop` or after Asterisk's end."""
        self.began.append(round(time.time(), 3))
        reader, self._writer = await asyncio.open_connection(*self._address)
        self._reading = asyncio.create_task(self._read(reader))
        await self.ask("Login", Username=MANAGER_USER, Secret=self._secret, Events=self._classes)

    async def stop(self) -> None:
        """Close the connection without a word."""
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._writer.close()

    def repeat(self, later_s: int) -> None:
        """Add all so far once more, as it would stand there so much later: the same ids, other moments."""

        def moved(found: re.Match[bytes]) -> bytes:
            return b"%s%d" % (found[1], int(found[2]) + later_s)

        self.raw += re.sub(rb"(?m)^(Timestamp: )(\d+)", moved, bytes(self.raw))
        self.began += [moment + later_s for moment in self.began]

    async def _read(self, reader: asyncio.StreamReader) -> None:
        wire, begin = AmiWire(), len(self.raw)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                self.raw += data
                self.messages += wire.feed(data)
                async with self._came:
                    self._came.notify_all()
        # What the end has cut off was no event for anybody.
        whole = self.raw.rfind(b"\r\n\r\n") + 4
        del self.raw[max(begin, whole) :]

    async def ask(self, action: str, **fields: str) -> list[AmiMessage]:
        """Send an action, and return its answer, which stands on the tape too."""
        self._numbers += 1
        number = f"tape-{self._numbers}"
        self._writer.write(write_action(action, number, fields))
        await self.until(lambda: any(message.is_last for message in self._answers(number)))
        return self._answers(number)

    def _answers(self, number: str) -> list[AmiMessage]:
        return [message for message in self.messages if message.number == number]

    def events(self, name: str, **fields: str) -> list[Mapping[str, str]]:
        """Return all events of this name with these fields so far."""
        return [
            message
            for message in self.messages
            if message.get("Event") == name and all(message.get(key) == value for key, value in fields.items())
        ]

    async def event(self, name: str, **fields: str) -> Mapping[str, str]:
        """Return the first event of this name with these fields, waiting for it."""
        await self.until(lambda: bool(self.events(name, **fields)), f"no event {name} {fields}")
        return self.events(name, **fields)[0]

    async def until(self, holds: Callable[[], bool], otherwise: str = "it did not come") -> None:
        """Wait until this holds, looking again whenever something came."""
        try:
            async with asyncio.timeout(PATIENCE_S), self._came:
                await self._came.wait_for(holds)
        except TimeoutError:
            raise TimeoutError(f"{otherwise}; the last was {self.messages[-1:]}") from None

    @property
    def living(self) -> set[str]:
        """The channels that have begun and not ended."""
        began = {event["Uniqueid"] for event in self.events("Newchannel")}
        return began - {event["Uniqueid"] for event in self.events("Hangup")}
