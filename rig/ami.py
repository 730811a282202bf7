"""Asterisk's manager interface: actions asked and answered, events kept and waited for."""

import asyncio
import contextlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import count

Event = Mapping[str, str]
About = Callable[[Event], Iterable[str]]


class AmiError(Exception):
    """Asterisk refused an action, or the connection is gone."""


class Ami:
    """A logged-in manager connection. All events since the log-in stand in `events`, oldest first."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, about: About) -> None:
        self.events: list[Event] = []
        self._about = about
        self._found: defaultdict[str, list[Event]] = defaultdict(list)
        self._reader, self._writer = reader, writer
        self._numbers = count(1)
        self._asked: dict[str, asyncio.Future[Event]] = {}
        self._waiting: list[tuple[Callable[[Event], bool], asyncio.Future[Event]]] = []
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def connect(
        cls, host: str, port: int, user: str, secret: str, about: About = lambda event: (event.get("Uniqueid", ""),)
    ) -> "Ami":
        """A connection, logged in. `about` gives the keys under which `events_about` finds an event again.

        Raises:
            OSError: when nobody listens.
            AmiError: when the log-in is refused.
        """
        reader, writer = await asyncio.open_connection(host, port, limit=2**20)
        ami = cls(reader, writer, about)
        ami._task = asyncio.create_task(ami._read())
        try:
            await ami.action("Login", Username=user, Secret=secret, Events="on")
        except BaseException:
            await ami.close()
            raise
        return ami

    async def action(self, name: str, timeout_s: float = 10.0, **fields: str) -> Event:
        """The response to an action.

        Raises:
            AmiError: when it is an error, or the connection is gone.
        """
        number = str(next(self._numbers))
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        lines = [f"Action: {name}", f"ActionID: {number}", *(f"{key}: {value}" for key, value in fields.items())]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        response = await asyncio.wait_for(future, timeout_s)
        if response.get("Response") == "Error":
            raise AmiError(f"{name}: {response.get('Message', 'refused')}")
        return response

    async def command(self, text: str) -> str:
        """What a command of Asterisk's own command line prints."""
        return (await self.action("Command", Command=text)).get("Output", "")

    def events_about(self, key: str) -> list[Event]:
        """The events so far with this key (a Uniqueid, if nothing else was said), without a look at all others."""
        return self._found.get(key, [])

    async def wait(
        self, wanted: Callable[[Event], bool], timeout_s: float, past: Iterable[Event] | None = None
    ) -> Event:
        """The first event that is as wanted, looked for in `past` (None: all there are) and then among those to come.

        Raises:
            TimeoutError: when none comes.
            AmiError: when the connection is gone.
        """
        known = self.events if past is None else past
        if (found := next((event for event in known if wanted(event)), None)) is not None:
            return found
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        entry = (wanted, future)
        self._waiting.append(entry)
        try:
            return await asyncio.wait_for(future, timeout_s)
        finally:
            self._waiting.remove(entry)

    async def _read(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._reader.readline()
            while True:
                block = await self._reader.readuntil(b"\r\n\r\n")
                self._take(_read_block(block.decode("utf-8", "replace")))
        gone = AmiError("Asterisk closed the manager connection")
        for future in [*self._asked.values(), *(future for _, future in self._waiting)]:
            if not future.done():
                future.set_exception(gone)

    def _take(self, block: Event) -> None:
        if "Response" in block:
            future = self._asked.pop(block.get("ActionID", ""), None)
            if future and not future.done():
                future.set_result(block)
            return
        self.events.append(block)
        for key in self._about(block):
            self._found[key].append(block)
        for wanted, future in tuple(self._waiting):
            if not future.done() and wanted(block):
                future.set_result(block)

    async def close(self) -> None:
        """Close the connection."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


def _read_block(text: str) -> Event:
    """The fields of one block; a field that comes more than once (Output) holds its lines."""
    fields: dict[str, str] = {}
    for line in text.split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            value = value.removeprefix(" ")
            fields[name] = f"{fields[name]}\n{value}" if name in fields else value
    return fields


def plain_value(escaped: str) -> str:
    """The value of a variable out of a VarSet event, where Asterisk writes it with C's escapes."""
    plain = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))
    return re.sub(r"\\(.)", lambda found: plain.get(found[1], found[1]), escaped)
